"""A worker process: settings, then `engine.worker` until SIGTERM."""

import sys

from engine.infra.settings import SettingError, load_settings
from engine.worker.main import run_worker


def main() -> int:
    """Run a worker and return its exit code; a setting that cannot be used is one line and code 2."""
    try:
        return run_worker(load_settings())
    except SettingError as error:
        sys.stderr.write(f"{error}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
