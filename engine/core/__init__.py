"""The pure core: what a run does next, decided without I/O, clock or randomness."""
