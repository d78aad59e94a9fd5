"""The execution engine: a pure core, its steps and store, and the worker and relay processes."""
