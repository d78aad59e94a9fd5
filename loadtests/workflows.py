"""The workflows that load tests start: they need nothing outside the product."""

from collections.abc import Callable
from typing import Any, Final

from msgspec import Struct

from loadtests.profiles import Flow

Definition = dict[str, Any]
# A run of the mixed kind goes on for so long that the next event of its workflow comes while it does.
HOLD_SECONDS: Final = 5
SUCCEEDED: Final = "succeeded"


class Shape(Struct, frozen=True, kw_only=True):
    """A workflow to publish, and the status in which every run of it must end."""

    name: str
    definition: Definition
    ends: str = SUCCEEDED


def make_shapes(flow: Flow, count: int) -> list[Shape]:
    """So many distinct workflows."""
    if flow == "single":
        return [Shape(name=f"Load: single {n}", definition=_define(_transform("only", n=n))) for n in range(count)]
    if flow == "chain":
        steps = (_transform("first", n=1), _transform("second", after=["first"], n="{{ steps.first.output.n + 1 }}"))
        return [Shape(name=f"Load: chain {n}", definition=_define(*steps)) for n in range(count)]
    return [_make_mixed(number) for number in range(count)]


def _make_mixed(number: int) -> Shape:
    """One of the kinds below, with a step that holds the run, and constants of its own."""
    kind = _KINDS[number % len(_KINDS)]
    steps, last, ends = kind(number)
    hold = {"id": "hold", "type": "delay", "with": {"seconds": HOLD_SECONDS}}
    return Shape(name=f"Load: {kind.__name__.lstrip('_')} {number}", definition=_define(hold, *steps, *last), ends=ends)


# Steps beside the one that holds, steps after it, and how the run ends.
Parts = tuple[list[Definition], list[Definition], str]


def _chain(number: int) -> Parts:
    steps = [_transform("s0", after=["hold"], n=number)]
    steps += [_transform(f"s{n}", after=[f"s{n - 1}"], n=f"{{{{ steps.s{n - 1}.output.n + 1 }}}}") for n in range(1, 6)]
    return [], steps, SUCCEEDED


def _branches(number: int) -> Parts:
    check = {"id": "check", "type": "if", "with": {"condition": f"(trigger.body.n + {number}) % 2 == 0"}}
    return (
        [check, _transform("even", after=["check.true"], is_even=True), _transform("odd", after=["check.false"], n=1)],
        [_transform("both", after=["hold"], n=number)],
        SUCCEEDED,
    )


def _cases(number: int) -> Parts:
    cases = {"zero": "trigger.body.n % 3 == 0", "one": "trigger.body.n % 3 == 1"}
    pick = {"id": "pick", "type": "switch", "with": {"cases": cases}}
    arms = [_transform(f"arm_{name}", after=[f"pick.{name}"], n=number) for name in (*cases, "default")]
    return [pick, *arms], [], SUCCEEDED


def _parallel(number: int) -> Parts:
    arms = [_transform(f"arm{n}", n=number + n) for n in range(8)]
    total = "{{ " + " + ".join(f"steps.arm{n}.output.n" for n in range(8)) + " }}"
    return arms, [_transform("sum", after=["hold", *(arm["id"] for arm in arms)], total=total)], SUCCEEDED


def _loop(number: int) -> Parts:
    each = {
        "id": "each",
        "type": "foreach",
        "with": {"items": "trigger.body.items", "concurrency": 3},
        "steps": [_transform("double", n=f"{{{{ item * 2 + {number} }}}}")],
        "after": ["hold"],
    }
    return [], [each], SUCCEEDED


def _rescue(number: int) -> Parts:
    by_zero = f"{{{{ {number} / (trigger.body.n - trigger.body.n) }}}}"
    rescue = _transform("rescue", after=["wrong.error"], why="{{ steps.wrong.error.message }}")
    return [], [_transform("wrong", after=["hold"], n=by_zero), rescue], SUCCEEDED


def _failure(number: int) -> Parts:
    stop = {"id": "stop", "type": "fail", "with": {"message": f"as it should {number}"}, "after": ["hold"]}
    return [], [stop], "failed"


def _deadline(number: int) -> Parts:
    wait = {"id": "paid", "type": "wait", "with": {"signal": f"paid {number}", "timeout": 1}}
    return [wait, _transform("late", after=["paid.timeout"], n=number)], [], SUCCEEDED


def _pauses(number: int) -> Parts:
    pauses = [{"id": f"p{n}", "type": "delay", "with": {"seconds": n / 4}, "after": [f"p{n - 1}"]} for n in range(1, 4)]
    return [_transform("p0", n=number), *pauses], [], SUCCEEDED


def _text(number: int) -> Parts:
    text = f"{{{{ trigger.body.text }}}} for the {number}th time"
    return [_transform("say", text=text)], [_transform("keep", after=["hold", "say"], n=number)], SUCCEEDED


_KINDS: Final[tuple[Callable[[int], Parts], ...]] = (
    _chain,
    _branches,
    _cases,
    _parallel,
    _loop,
    _rescue,
    _failure,
    _deadline,
    _pauses,
    _text,
)


def _transform(step_id: str, *, after: list[str] | None = None, **values: Any) -> Definition:
    waits = {} if after is None else {"after": after}
    return {"id": step_id, "type": "transform", "with": {"values": values}, **waits}


def _define(*steps: Definition) -> Definition:
    return {"schema": 1, "steps": list(steps)}
