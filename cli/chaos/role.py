"""One process of the product as chaos breaks it: as `up` runs it, but that SIGUSR1 blocks its event loop."""

import importlib
import os
import signal
import sys
import time
from types import FrameType

from cli.report import progress
from cli.roles import ROLES
from engine.infra.settings import SettingError, load_settings

# How long SIGUSR1 blocks: longer than the lease of a worker.
BLOCK_VARIABLE = "CHAOS_BLOCK_SECONDS"


def main(role: str) -> int:
    """Run the role until SIGTERM; the exit code."""
    signal.signal(signal.SIGUSR1, _block)
    module, name = ROLES[role]
    try:
        code: int = getattr(importlib.import_module(module), name)(load_settings())
    except SettingError as error:
        progress(str(error))
        return 2
    return code


def _block(_number: int, _frame: FrameType | None) -> None:
    # Python runs this between two steps of the event loop, which stands still meanwhile, as with a call that blocks.
    time.sleep(float(os.environ[BLOCK_VARIABLE]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
