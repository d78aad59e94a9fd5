"""The worker process: claims runs, drives them in one event loop, and journals every transition."""
