"""Open-loop load: starts come at their rate whatever happens, each again under its key until it is accepted."""

import asyncio
import contextlib
import random
import time
from collections import Counter
from itertools import count
from urllib.parse import urlsplit

import aiohttp
import msgspec
from msgspec import Struct, structs

from cli.chaos.cluster import Cluster
from cli.chaos.workflows import API, WEBHOOK, Source, make_definition, make_input

TRY_SECONDS = 8.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.05, 1.0
# Of the accepted ones so many are sent once more, as senders do that missed the answer.
REPEATED_SHARE = 0.08
# Short pauses stay in the memory of a worker, long ones leave it.
PAUSES = (0.05, 0.4, 1.5, 3.0)
_ACCEPTED = (200, 201, 202)
_COME_BACK = (409, 429, 503)


class Delivery(Struct, kw_only=True):
    """One start, and what its sender knows of it. Times in seconds of the machine's clock."""

    n: int
    source: str
    sent_at: float
    acked_at: float | None = None
    run_id: str | None = None
    tries: int = 0
    # How often it was told to come back because the machine had too much to do: no fault of anybody's.
    put_off: int = 0

    @property
    def is_smooth(self) -> bool:
        """Whether it was accepted at the first try that was not put off."""
        return self.acked_at is not None and self.tries - self.put_off == 1


class Load:
    """Starts runs by webhook and by API in turn, at both APIs in turn."""

    def __init__(self, cluster: Cluster, *, rate: float, seed: int) -> None:
        self._cluster = cluster
        self._rate = rate
        self._random = random.Random(seed)  # noqa: S311 - one seed, one run: chance that nobody has to guess
        self._numbers = count(1)
        self._tasks: set[asyncio.Task[None]] = set()
        self._sessions: list[aiohttp.ClientSession] = []
        self._paths: dict[Source, str] = {}
        self.deliveries: list[Delivery] = []
        # By status, and of refusals with their code.
        self.answers: Counter[str] = Counter()
        self.unknown = 0
        self.complaints: list[str] = []

    async def open(self) -> None:
        """Publish the workflows."""
        headers = {"Authorization": f"Bearer {self._cluster.token}"}
        for api in self._cluster.apis:
            # Each request on a connection of its own: one that a fault has cut takes no other with it.
            connector = aiohttp.TCPConnector(limit=0)
            self._sessions.append(aiohttp.ClientSession(api.url, headers=headers, connector=connector))
        for source in (WEBHOOK, API):
            definition = make_definition(source, self._cluster.target)
            body = {"name": f"Chaos by {source.trigger}", "definition": definition}
            created = await self._cluster.call("POST", "/v1/workflows", body)
            path = f"/v1/workflows/{created['id']}"
            await self._cluster.call("POST", f"{path}/publish")
            self._paths[source] = f"{path}/runs"
            if source is WEBHOOK:
                trigger = await self._cluster.call("POST", f"{path}/triggers", {"type": "webhook", "config": {}})
                self._paths[source] = urlsplit(trigger["url"]).path

    async def close(self) -> None:
        """Drop what is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for session in self._sessions:
            await session.close()

    async def run(self) -> None:
        """Send at the rate until cancelled; what is under way goes on."""
        due = time.monotonic()
        while True:
            self.send(API if self._random.random() < 0.5 else WEBHOOK)  # noqa: PLR2004 - as often the one as the other
            due += self._random.expovariate(self._rate)
            await asyncio.sleep(max(due - time.monotonic(), 0))

    def send(self, source: Source, *, api: int | None = None) -> Delivery:
        """Begin a start, at a given API or at any; it is done once it has an `acked_at`."""
        delivery = Delivery(n=next(self._numbers), source=source.trigger, sent_at=time.time())
        self.deliveries.append(delivery)
        task = asyncio.create_task(self._deliver(delivery, source, self._random.choice(PAUSES), api))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return delivery

    async def settle(self, seconds: float) -> None:
        """Wait until everything that was sent is accepted, and for at most `seconds`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._tasks:
                    await asyncio.wait(set(self._tasks))

    async def _deliver(self, delivery: Delivery, source: Source, pause: float, api: int | None) -> None:
        body = make_input(delivery.n, pause)
        wait = FIRST_PAUSE_SECONDS
        while (run_id := await self._try(delivery, source, body, api)) is None:
            await asyncio.sleep(wait)
            wait = min(2 * wait, LONGEST_PAUSE_SECONDS)
        delivery.run_id, delivery.acked_at = run_id, time.time()
        if self._random.random() < REPEATED_SHARE:
            again = await self._try(structs.replace(delivery), source, body, None)
            if again is not None and again != run_id:
                self.complaints.append(f"start {delivery.n} was accepted as {run_id}, and again as {again}")

    async def _try(self, delivery: Delivery, source: Source, body: object, api: int | None) -> str | None:
        """One request; the run where it was accepted. Whatever else happened, it may be sent again."""
        number = api if api is not None else (delivery.n + delivery.tries) % len(self._sessions)
        delivery.tries += 1
        name = "Idempotency-Key" if source is API else "webhook-id"
        content = {"input": body} if source is API else body
        try:
            async with self._sessions[number].post(
                self._paths[source],
                json=content,
                headers={name: f"chaos-{delivery.n}"},
                timeout=aiohttp.ClientTimeout(total=TRY_SECONDS),
            ) as response:
                answer = await response.read()
        except (aiohttp.ClientError, OSError, TimeoutError):
            # Refused, cut or silent: whether it was accepted nobody can know.
            self.unknown += 1
            return None
        if response.status in _ACCEPTED:
            self.answers[str(response.status)] += 1
            return str(msgspec.json.decode(answer)["run_id"])
        text = answer.decode(errors="replace")[:300]
        code = find_code(answer)
        self.answers[f"{response.status} {code}"] += 1
        delivery.put_off += code == "busy"
        # A start needs PostgreSQL alone.
        if response.status not in _COME_BACK or code == "redis_unavailable":
            self.complaints.append(f"start {delivery.n} was answered {response.status}: {text}")
        elif "retry-after" not in response.headers:
            self.complaints.append(f"start {delivery.n} was answered {response.status} without Retry-After: {text}")
        return None


def find_code(answer: bytes) -> str:
    """The code of a problem document; `none` where it is no such document."""
    try:
        return str(msgspec.json.decode(answer)["code"])
    except (msgspec.MsgspecError, LookupError, TypeError):
        return "none"
