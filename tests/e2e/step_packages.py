"""Packages of step types, built from their sources and installed as pip does it, without an index."""

import base64
import hashlib
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any


def install_package(project: Path, target: Path, work: Path) -> None:
    """Build the package of a folder with a `pyproject.toml`, and install it into `target`."""
    wheel = build_wheel(project, work)
    options = ["install", "--no-index", "--no-deps", "--target", str(target), str(wheel)]
    uv = shutil.which("uv") or str(Path(sys.prefix) / "bin" / "uv")
    # An environment that uv has made holds no pip.
    command = [sys.executable, "-m", "pip"] if find_spec("pip") else [uv, "pip"]
    answer = subprocess.run([*command, *options], capture_output=True, text=True, timeout=200, check=False)
    assert answer.returncode == 0, answer.stderr


def build_wheel(project: Path, folder: Path) -> Path:
    """What a build backend makes of a pure package; none of them need be installed where the tests run."""
    described = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    name, version = described["name"].replace("-", "_"), described["version"]
    info = f"{name}-{version}.dist-info"
    entries = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {described['name']}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": write_entry_points(described["entry-points"]),
    }
    for path in sorted(project.glob("*/**/*.py")):
        if path.relative_to(project).parts[0] != "tests":
            entries[str(path.relative_to(project))] = path.read_text()
    entries[f"{info}/RECORD"] = write_record(entries, f"{info}/RECORD")
    wheel = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for entry, text in entries.items():
            archive.writestr(entry, text)
    return wheel


def write_entry_points(groups: dict[str, dict[str, Any]]) -> str:
    return "".join(
        f"[{group}]\n" + "".join(f"{name} = {place}\n" for name, place in points.items())
        for group, points in groups.items()
    )


def write_record(entries: dict[str, str], itself: str) -> str:
    lines = []
    for entry, text in entries.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        lines.append(f"{entry},sha256={digest},{len(text.encode())}\n")
    return "".join([*lines, f"{itself},,\n"])
