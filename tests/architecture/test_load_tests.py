"""Load tests stay outside the product, and Locust, which patches the process that it is in, in one of its own."""

import ast
import subprocess
import sys

from tests.architecture.sources import PACKAGES, ROOT, python_files, tree

PATCHERS = {"gevent", "geventhttpclient", "locust"}
# What runs in Locust's process, and the one door to it.
INSIDE = ("loadtests/locustfile.py", "loadtests/load/")
DOOR = "cli/commands/loadtest.py"


def imports(folders: tuple[str, ...]) -> set[tuple[str, str]]:
    """Every import below the folders: the file, and the first part of the module's name."""
    found = set()
    for path in python_files(*folders):
        name = str(path.relative_to(ROOT))
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Import):
                found |= {(name, alias.name.partition(".")[0]) for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add((name, node.module.partition(".")[0]))
    return found


def test_only_locusts_own_process_loads_what_patches_it() -> None:
    patched = {path for path, module in imports((*PACKAGES, "loadtests")) if module in PATCHERS}
    assert patched
    assert [path for path in sorted(patched) if not path.startswith(INSIDE)] == []


def test_the_product_knows_no_load_test() -> None:
    assert {path for path, module in imports(PACKAGES) if module == "loadtests"} == {DOOR}


def test_the_command_that_starts_locust_is_not_patched() -> None:
    modules = "print(*{module.partition('.')[0] for module in sys.modules})"
    answer = subprocess.run(
        [sys.executable, "-c", f"import sys, loadtests.runner; {modules}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(answer.stdout.split())
    assert "loadtests" in loaded
    assert loaded & PATCHERS == set()
