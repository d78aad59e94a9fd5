"""The demo's workflows: read from their files, fitted to the target, imported and published."""

from importlib.resources import files
from typing import Final

from msgspec import Struct

from cli.client.api import Api
from cli.client.errors import ClientError
from cli.client.importing import publish_draft, send_file
from cli.demo.target import HOST, PORT

# A workflow comes after those that it runs.
NAMES: Final = (
    "order-processing",
    "nightly-report",
    "expense-approval",
    "welcome-message",
    "customer-onboarding",
    "incident-escalation",
)
_NO_WORKFLOW: Final = "00000000-0000-0000-0000-000000000000"
_USED_BY_ONBOARDING: Final = "welcome-message"


class Loaded(Struct, frozen=True, kw_only=True):
    """A published workflow, and the address of its webhook where it has one; `outcome` as the import tells it."""

    id: str
    name: str
    outcome: str
    hook: str | None


def load_workflows(api: Api, port: int) -> dict[str, Loaded]:
    """Import and publish all, by file name; those that are there get the files as their drafts. Raises ClientError."""
    loaded: dict[str, Loaded] = {}
    for name in NAMES:
        used = loaded[_USED_BY_ONBOARDING].id if _USED_BY_ONBOARDING in loaded else _NO_WORKFLOW
        (item,) = send_file(api, f"{name}.yaml", fit_workflow(name, port, used).encode())
        if problems := item["problems"]:
            first = problems[0]
            raise ClientError(
                f"The demo's {name}.yaml has problems here ({first['pointer']}: {first['message']}). "
                "Is the product of another version?"
            )
        publish_draft(api, item)
        hook = next((imported["trigger"]["url"] for imported in item["triggers"]), None)
        loaded[name] = Loaded(id=item["id"], name=item["name"], outcome=item["outcome"], hook=hook)
    return loaded


def fit_workflow(name: str, port: int, used: str) -> str:
    """The text of a file for a target on `port`, and for the id of the workflow that it runs, if it runs one."""
    return read_workflow(name).replace(f"{HOST}:{PORT}", f"{HOST}:{port}").replace(_NO_WORKFLOW, used)


def read_workflow(name: str) -> str:
    """The text of one of the demo's files."""
    return (files("cli.demo") / "workflows" / f"{name}.yaml").read_text()
