"""The linter of the web app. Its packages have a folder of their own: nobody needs them to build or serve it."""

from typing import Final

from cli.ui_toolchain import UI, ensure_node, ensure_packages, run

LINT: Final = UI / "lint"
_SECONDS: Final = 600.0


def lint_sources() -> None:
    """Check the sources of the web app by `ui/lint/eslint.config.js`; raises UiError, which tells of faults."""
    node = ensure_node()
    ensure_packages(node, LINT)
    # Some rules go by types, also by those of what the sources import.
    ensure_packages(node)
    linter = LINT / "node_modules" / "eslint" / "bin" / "eslint.js"
    # Most of its time goes into types, of which each of the two works out those of its own half.
    options = ["--config", "lint/eslint.config.js", "--max-warnings", "0", "--concurrency", "2"]
    run([node.program, linter, *options, "."], node, seconds=_SECONDS, what="The linter")
