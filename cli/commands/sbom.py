"""`sbom`: what FlowForge is made of."""

import tomllib
from pathlib import Path

import click

from cli.report import progress
from cli.security.materials import read_npm, read_python

ROOT = Path(__file__).resolve().parent.parent.parent
UI_LOCK = ROOT / "ui" / "package-lock.json"


@click.command()
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=ROOT / "build" / "sbom",
    help="The folder that the documents are written to (build/sbom).",
)
def command(output: Path) -> None:
    """Write the bill of materials, as CycloneDX: one document of the Python packages, one of the web app's.

    They are made from the lock files alone: nothing is installed or asked for. What is only there to make FlowForge has
    the scope `excluded`.
    """
    from cli.security.sbom import write_bill  # noqa: PLC0415 - its library is there to make FlowForge alone

    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    bills = {
        "flowforge-python.cdx.json": (read_python(ROOT / "requirements"), "pypi", "flowforge"),
        "flowforge-web.cdx.json": (read_npm(UI_LOCK), "npm", "flowforge-ui"),
    }
    output.mkdir(parents=True, exist_ok=True)
    for name, (materials, kind, root) in bills.items():
        (output / name).write_text(write_bill(materials, kind, root, version))
        progress(f"wrote {output / name}: {len(materials)} packages")
