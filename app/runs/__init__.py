"""Runs: starting, reading, cancelling and watching them."""
