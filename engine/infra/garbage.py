"""Python's search for reference cycles, set for processes that hold many objects for seconds."""

import gc

_THRESHOLDS = (50_000, 20, 50)


def relax_garbage_collection() -> None:
    """Look for cycles less often, and never among what is loaded by now.

    Every search of the oldest generation walks all runs and requests in memory: with Python's own thresholds that was a
    third of a busy worker's time. Call it once in a process, when its modules are loaded.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
