"""The demo's workflows: read from their files, fitted to the target, imported and published."""

from importlib.resources import files
from typing import Final

from msgspec import Struct

from cli.client.api import Api
from cli.client.errors import ClientError
from cli.client.importing import import_file, publish_all
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
    """A published workflow, and the address of its webhook where it has one."""

    id: str
    name: str
    hook: str | None


def load_workflows(api: Api, port: int) -> dict[str, Loaded]:
    """Import and publish all, by file name; those that are there get the files as their drafts. Raises ClientError."""
    loaded: dict[str, Loaded] = {}
    for name in NAMES:
        used = loaded[_USED_BY_ONBOARDING].id if _USED_BY_ONBOARDING in loaded else _NO_WORKFLOW
        text = read_workflow(name).replace(f"{HOST}:{PORT}", f"{HOST}:{port}").replace(_NO_WORKFLOW, used)
        (item,) = import_file(api, f"{name}.yaml", text.encode())
        if item["problems"]:
            raise ClientError(f"The demo's {name}.yaml has problems here: is the product of another version?")
        publish_all(api, [item])
        hook = next((imported["trigger"]["url"] for imported in item["triggers"]), None)
        loaded[name] = Loaded(id=item["id"], name=item["name"], hook=hook)
    return loaded


def read_workflow(name: str) -> str:
    """The text of one of the demo's files."""
    return (files("cli.demo") / "workflows" / f"{name}.yaml").read_text()
