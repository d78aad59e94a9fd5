"""Files and functions stay small enough to be read at once."""

from tests.architecture.sources import PACKAGES, ROOT, at, functions, python_files

LONGEST_FILE = 400
LONGEST_FUNCTION = 60
LONGEST_ENTRY_FILE = 20
FOLDERS = (*PACKAGES, "alembic", "loadtests", "tests")


def test_no_file_is_longer_than_400_lines() -> None:
    lengths = {path: len(path.read_text().splitlines()) for path in python_files(*FOLDERS)}
    assert lengths
    too_long = [f"{path.relative_to(ROOT)}: {length}" for path, length in lengths.items() if length > LONGEST_FILE]
    assert too_long == []


def test_no_function_is_longer_than_60_lines() -> None:
    too_long = [
        f"{at(path, function)} {function.name}: {(function.end_lineno or 0) - function.lineno + 1}"
        for path in python_files(*FOLDERS)
        for function in functions(path)
        if (function.end_lineno or 0) - function.lineno + 1 > LONGEST_FUNCTION
    ]
    assert too_long == []


def test_the_process_files_only_start_something() -> None:
    lengths = {name: len((ROOT / name).read_text().splitlines()) for name in ("worker.py", "relay.py")}
    assert {name: length for name, length in lengths.items() if length > LONGEST_ENTRY_FILE} == {}
