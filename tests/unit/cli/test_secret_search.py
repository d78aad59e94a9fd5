"""The search for secrets in the sources finds them, and looks at what has changed alone."""

from pathlib import Path

import pytest

from cli.security import secrets
from cli.security.secrets import list_sources, read_baseline, search, write_baseline

# Put together here, for this file is a source itself.
KEY = "-----BEGIN " + "RSA PRIVATE KEY-----"
TOKEN = "ghp_" + "a1B2c3D4e5F6" * 3


def write(root: Path, name: str, text: str) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_what_looks_like_a_secret_is_found_and_kept_as_none_where_somebody_says_so(tmp_path: Path) -> None:
    write(tmp_path, "app/a.py", f'KEY = """{KEY}"""\n')
    write(tmp_path, "docs/guide.md", f"send {TOKEN}\n")
    write(tmp_path, "engine/b.py", "KEY = read_key()\n")
    write(tmp_path, "tests/c.py", f'KEY = "{TOKEN}"\n')
    found = search(tmp_path, tmp_path / "build" / "secrets.json")
    assert [(name, kind) for name, kind, _ in sorted(found)] == [
        ("app/a.py", "Private Key"),
        ("docs/guide.md", "GitHub Token"),
    ]
    baseline = tmp_path / ".secrets.baseline"
    write_baseline(baseline, found)
    assert read_baseline(baseline) == found
    assert TOKEN not in baseline.read_text()


def test_a_file_is_looked_at_again_once_it_has_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, "app/a.py", f'KEY = "{TOKEN}"\n')
    remembered = tmp_path / "build" / "secrets.json"
    first = search(tmp_path, remembered)
    assert len(first) == 1
    with monkeypatch.context() as patch:
        # Whoever looks a second time gets nothing.
        patch.setattr(secrets, "find_secrets", print)
        assert search(tmp_path, remembered) == first
    path.write_text("KEY = read_key()\n")
    assert search(tmp_path, remembered) == set()


def test_the_sources_are_looked_at_and_nothing_that_a_program_wrote() -> None:
    names = {str(path.relative_to(secrets.ROOT)) for path in list_sources(secrets.ROOT)}
    assert names >= {"app/main.py", "SECURITY.md", "flowforge", "docs/security.md", "ui/src/main.tsx"}
    assert [name for name in names if name.startswith(("tests/", "ui/src/generated/", ".venv/"))] == []
