"""`doctor`: what is wrong, and how to mend it."""

import asyncio
from pathlib import Path

import click
import msgspec

from cli.diagnosis import Diagnosis, Finding, worst
from engine.infra.settings import SettingError, load_settings


@click.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Data folder (FLOWFORGE_DATA_DIR, .flowforge).")
def command(as_json: bool, data_dir: Path | None) -> int:
    """Check configuration, database, Redis, migrations, clock, port, disk and limits; code 1 if something is wrong."""
    try:
        settings = load_settings(data_dir=None if data_dir is None else str(data_dir))
    except SettingError as error:
        findings = [Finding(check="configuration", outcome="fail", message=str(error))]
    else:
        findings = asyncio.run(Diagnosis(settings).examine())
    if as_json:
        answer = {"outcome": worst(findings), "findings": findings}
        click.echo(msgspec.json.format(msgspec.json.encode(answer), indent=2).decode())
    else:
        for finding in findings:
            click.echo(f"{finding.outcome:<5} {finding.check:<14} {finding.message}")
    return 1 if worst(findings) == "fail" else 0
