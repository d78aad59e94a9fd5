"""A relay process: settings, then `engine.relay` until SIGTERM."""

import sys

from engine.infra.settings import SettingError, load_settings
from engine.relay.main import run_relay


def main() -> int:
    """Run a relay and return its exit code; a setting that cannot be used is one line and code 2."""
    try:
        return run_relay(load_settings())
    except SettingError as error:
        sys.stderr.write(f"{error}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
