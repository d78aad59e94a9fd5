"""`chaos`: a product of its own is broken in every way that can be done on one machine, and must lose nothing."""
