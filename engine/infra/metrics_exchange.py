"""Metrics of all processes at one place: each leaves its figures in Redis, and the API's /metrics shows them merged."""

import asyncio
import os
import socket
from collections.abc import Iterable, Iterator

import msgspec
import structlog
from msgspec import Struct
from prometheus_client import Metric, generate_latest
from prometheus_client.registry import Collector
from redis.asyncio import Redis

from engine.infra.metrics import REGISTRY
from engine.infra.redis import REDIS_ERRORS

INTERVAL_SECONDS = 5.0
_EXPIRY_SECONDS = 15
_KEY = "ff:metrics:"
_INDEX = "ff:metrics"
_PREFIX = "flowforge_"

# A family: name, help text, type, samples of (name, labels, value).
_Sample = tuple[str, dict[str, str], float]
_Family = tuple[str, str, str, list[_Sample]]

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[_Family]).decode
_log = structlog.get_logger(__name__)


class ProcessFigures(Struct, frozen=True, kw_only=True):
    """Some figures of a process, by the names of its metrics without their prefix: those without labels."""

    role: str
    host: str
    pid: int
    values: dict[str, float]


def process_name(role: str) -> str:
    """The value of the `process` label of this process."""
    return f"{role}@{socket.gethostname()}:{os.getpid()}"


async def publish_metrics(redis: Redis, role: str) -> None:
    """Leave this process's figures in Redis every 5 seconds until cancelled; without Redis they are not left."""
    name = process_name(role)
    while True:
        try:
            async with redis.pipeline(transaction=False) as pipe:
                pipe.set(_KEY + name, _encode(_own_families()), ex=_EXPIRY_SECONDS)
                pipe.sadd(_INDEX, name)
                await pipe.execute()
        except REDIS_ERRORS as error:
            _log.debug("metrics_not_published", error=str(error))
        await asyncio.sleep(INTERVAL_SECONDS)


async def collect_metrics(redis: Redis, role: str) -> bytes:
    """The figures of all living processes in Prometheus's text format; without Redis those of this process alone."""
    own = process_name(role)
    found: list[tuple[str, list[_Family]]] = [(own, _own_families())]
    is_complete = True
    try:
        found += await _read_others(redis, own)
    except REDIS_ERRORS:
        is_complete = False
    return generate_latest(_Merged(found, is_complete=is_complete))


async def read_processes(redis: Redis, role: str) -> tuple[list[ProcessFigures], bool]:
    """The figures of all living processes, this one among them; False where Redis does not give those of the others."""
    own = process_name(role)
    try:
        others, is_complete = await _read_others(redis, own), True
    except REDIS_ERRORS:
        others, is_complete = [], False
    return [_pick_figures(name, families) for name, families in [(own, _own_families()), *others]], is_complete


def _pick_figures(name: str, families: list[_Family]) -> ProcessFigures:
    role, _, place = name.partition("@")
    host, _, pid = place.rpartition(":")
    plain = (sample for _, _, _, samples in families for sample in samples)
    values = {name.removeprefix(_PREFIX): value for name, labels, value in plain if not labels}
    return ProcessFigures(role=role, host=host, pid=int(pid), values=values)


async def _read_others(redis: Redis, own: str) -> list[tuple[str, list[_Family]]]:
    async with redis.pipeline(transaction=False) as pipe:
        pipe.smembers(_INDEX)
        (members,) = await pipe.execute()
    names = sorted(name.decode() for name in members)
    others = [name for name in names if name != own]
    if not others:
        return []
    answers = await redis.mget([_KEY + name for name in others])
    found = [(name, _decode(raw)) for name, raw in zip(others, answers, strict=True) if raw is not None]
    gone = [name for name, raw in zip(others, answers, strict=True) if raw is None]
    if gone:
        async with redis.pipeline(transaction=False) as pipe:
            pipe.srem(_INDEX, *gone)
            await pipe.execute()
    return found


def _own_families() -> list[_Family]:
    return [
        (family.name, family.documentation, family.type, [(s.name, s.labels, s.value) for s in family.samples])
        for family in REGISTRY.collect()
    ]


class _Merged(Collector):
    """The families of several processes, each sample with a `process` label."""

    def __init__(self, found: Iterable[tuple[str, list[_Family]]], *, is_complete: bool) -> None:
        self._found = found
        self._is_complete = is_complete

    def collect(self) -> Iterator[Metric]:
        merged: dict[str, Metric] = {}
        for process, families in self._found:
            for name, documentation, kind, samples in families:
                metric = merged.get(name)
                if metric is None:
                    metric = merged[name] = Metric(name, documentation, kind)
                for sample_name, labels, value in samples:
                    metric.add_sample(sample_name, {**labels, "process": process}, value)
        complete = Metric("flowforge_metrics_complete", "1 where Redis gave the figures of all processes", "gauge")
        complete.add_sample("flowforge_metrics_complete", {}, float(self._is_complete))
        yield from merged.values()
        yield complete
