"""The workflow of a chaos run, and what must be seen of each of its runs: the reference."""

from typing import Any

from msgspec import Struct

Step = dict[str, Any]
ITEMS = (1, 2, 3)
# The target fails each effect at most once; more attempts than that are for what chaos does.
_RETRY = {"max_attempts": 12, "initial": 0.2, "factor": 2, "max": 2, "jitter": True}
_TIMEOUT_SECONDS = 12


class Source(Struct, frozen=True):
    """How runs are started, and where expressions then find what they were started with."""

    trigger: str
    path: str


WEBHOOK = Source("webhook", "trigger.body")
API = Source("api", "input")

# The steps whose success has to be committed before the first effect of a step may be seen.
PARENTS: dict[str, tuple[str, ...]] = {
    "reserve": (),
    "charge": ("reserve",),
    "mail": ("charge",),
    "stock": ("charge",),
    "pack": ("charge",),
    "invoice": ("pause", "is_even"),
    "receipt": ("pause", "is_even"),
    "finish": ("mail", "stock", "packing", "is_even"),
}


def make_definition(source: Source, target: str) -> dict[str, Any]:
    """Calls in a row, two in parallel, a loop, a delay, and one of two ways, which all come together at the end."""

    def call(step: str, *after: str, item: bool = False, **more: Any) -> Step:
        body = {"run": "{{ run.id }}", "n": f"{{{{ {source.path}.n }}}}", "step": step}
        if item:
            body["item"] = "{{ item }}"
        waits = {"after": list(after)} if after else {}
        return {
            "id": step,
            "type": "http",
            "with": {"method": "POST", "url": f"{target}/{step}", "json": body},
            "timeout": _TIMEOUT_SECONDS,
            "retry": _RETRY,
            **waits,
            **more,
        }

    return {
        "schema": 1,
        "steps": [
            call("reserve"),
            call("charge", "reserve"),
            call("mail", "charge"),
            call("stock", "charge"),
            {
                "id": "packing",
                "type": "foreach",
                "with": {"items": f"{source.path}.items", "concurrency": 2},
                "steps": [call("pack", item=True)],
                "after": ["charge"],
            },
            {
                "id": "pause",
                "type": "delay",
                "with": {"seconds": f"{{{{ {source.path}.pause }}}}"},
                "after": ["charge"],
            },
            {
                "id": "is_even",
                "type": "if",
                "with": {"condition": f"{source.path}.n % 2 == 0"},
                "after": ["pause"],
            },
            call("invoice", "is_even.true"),
            call("receipt", "is_even.false"),
            call("finish", "invoice", "receipt", "mail", "stock", "packing", join="any"),
        ],
        "output": {"n": f"{{{{ {source.path}.n }}}}"},
    }


def make_input(n: int, pause: float) -> dict[str, Any]:
    """What a run is started with."""
    return {"n": n, "pause": pause, "items": list(ITEMS)}


def expected_effects(n: int) -> set[str]:
    """The steps of which exactly one effect, or repeats of it under one key, must be seen."""
    branch = "invoice" if n % 2 == 0 else "receipt"
    return {"reserve", "charge", "mail", "stock", branch, "finish", *(f"pack#{item}" for item in ITEMS)}


def expected_journal(n: int) -> set[str]:
    """The paths of the steps that the journal must say have succeeded."""
    branch = "invoice" if n % 2 == 0 else "receipt"
    loop = {f"packing[{index}].pack" for index in range(len(ITEMS))}
    return {"reserve", "charge", "mail", "stock", "pause", "is_even", "packing", branch, "finish", *loop}
