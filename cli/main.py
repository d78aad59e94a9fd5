"""`./flowforge`: every command of the product. A module in `cli/commands` is a command of that name."""

import importlib
import keyword
import pkgutil
import sys

import click

import cli.commands
from cli.report import progress
from cli.servers.process import ServerError
from engine.infra.settings import SettingError


class Commands(click.Group):
    """The commands, each imported only when it is asked for: `up` must not pay for what `doctor` needs."""

    def list_commands(self, context: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        # `import` is no name of a module in Python: its file is `import_.py`.
        return sorted(module.name.rstrip("_") for module in pkgutil.iter_modules(cli.commands.__path__))

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in self.list_commands(context):
            return None
        module = f"{name}_" if keyword.iskeyword(name) else name
        command = importlib.import_module(f"cli.commands.{module}").command
        return command if isinstance(command, click.Command) else None


@click.command(cls=Commands, name="flowforge", context_settings={"help_option_names": ["-h", "--help"]})
def program() -> None:
    """FlowForge: durable workflow automation. Start with `./flowforge up`."""


def main(arguments: list[str] | None = None) -> int:
    """Run a command and return its exit code; trouble with settings or servers is one line and code 2."""
    try:
        code = program.main(arguments, prog_name="flowforge", standalone_mode=False)
    except (SettingError, ServerError) as error:
        progress(str(error))
        return 2
    except click.ClickException as error:
        error.show()
        return 2
    except click.Abort:
        progress("interrupted")
        return 130
    return code if isinstance(code, int) else 0


if __name__ == "__main__":
    sys.exit(main())
