"""Load tests: Locust sends events at a steady rate, and every one that was accepted must have ended as it should."""
