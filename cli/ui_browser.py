"""The Chromium that drives the tests of the web app: found on the machine, or installed where that is allowed."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from cli.report import progress

_NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_INSTALL_SECONDS: Final = 600
_APT: Final = ("apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=3")


def find_chromium() -> str | None:
    """The Chromium of this machine, None where there is none."""
    return next((found for name in _NAMES if (found := shutil.which(name))), None)


def ensure_chromium() -> tuple[str | None, str]:
    """The Chromium of this machine, installed first where root may do so on Debian; else None, and why."""
    if found := find_chromium():
        return found, ""
    if os.geteuid() != 0 or not Path("/etc/debian_version").exists():
        return None, "there is no Chromium on the PATH (Debian: apt install chromium)"
    progress("installing Chromium for the tests of the web app")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    said = ""
    for arguments in ((*_APT, "update"), (*_APT, "install", "-y", "--no-install-recommends", "chromium")):
        try:
            answer = subprocess.run(
                arguments,
                capture_output=True,
                text=True,
                errors="replace",
                env=environment,
                stdin=subprocess.DEVNULL,
                timeout=_INSTALL_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            said = str(error)
            continue
        # An index of one source may fail to be fetched while the package is in another's.
        said = answer.stderr.strip()[-500:] if answer.returncode else said
    found = find_chromium()
    return found, "" if found else f"Chromium could not be installed: {said}"
