"""The demo: real workflows against a target on this machine, loaded and run through the API like anybody's."""
