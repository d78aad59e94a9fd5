"""What the figures of a load test mean, for whoever sees their first report."""

from typing import Final

# By the beginning of a figure's name; the first that fits.
_NOTES: Final[dict[str, str]] = {
    "events sent": "by Locust, whatever was answered",
    "rate reached": "1 is the rate that was asked for; less: the sender did not keep up, not the product",
    "errors": "every answer but a 202, and what readers and streams met",
    "sent late": "the sender's own lateness; a machine that is short of processors shows here first",
    "told to come back later": "answers 503 with Retry-After, which the sender heeded",
    "sent twice": "as the same event, under the same name",
    "webhook to 202": "from the moment at which the event was due until it was durable and answered",
    "the same from the moment of sending": "without the sender's own lateness",
    "accepted and not found": "answered 202, and there is no such run: a lost event",
    "runs nobody sent": "a doubled event",
    "events that share a run": "an event swallowed by another one",
    "receipts that disagree": "the receipt says something else than the answer did",
    "receipts of nothing": "of events that nobody sent",
    "drift of the product's own accounts": "accepted less started, duplicate, filtered and pending",
    "ended otherwise than they should": "some workflows must succeed, others must fail",
    "accepted to ended": "the whole run, with the pauses that its workflow has",
    "all ended after the last answer": "how long the product had to catch up",
    "distinct workflows at once": "with runs under way at the same moment",
    "API read": "of people who look at runs and lists meanwhile",
    "ends that a stream left out": "a run's end that somebody who watched was not shown",
    "end to stream": "from the end of a run until those who watch saw it",
    "gaps in streams of a run": "numbers of events that a watcher never got",
    "CPU of the product": "all of its processes together, PostgreSQL and Valkey among them; Locust is told apart",
    "CPU, Locust": "near 100 % of a core the sender is the bound, not the product",
    "CPU that others used meanwhile": "more than a few per cent: times of this report say little",
    "outbox rows at most": "what was committed and not announced yet; a number that grows is a relay that lags",
    "memory, last third": "above 1 it grew while the load stayed the same",
    "connections, last third": "to PostgreSQL; above 0 they grew while the load stayed the same",
}


def explain(name: str) -> str:
    """What a figure means, in half a sentence; empty where its name says it."""
    return next((note for beginning, note in _NOTES.items() if name.startswith(beginning)), "")


def list_explained() -> list[str]:
    """The beginnings of the names that are explained."""
    return list(_NOTES)
