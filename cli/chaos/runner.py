"""One chaos run from its start to its report."""

import asyncio
import random
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec
import uvloop
from msgspec import Struct

from cli.bench.report import describe_machine, now
from cli.chaos.calm import ask_every_role, come_to_rest, gather_facts
from cli.chaos.checks import check_all, count_queue
from cli.chaos.cluster import Cluster
from cli.chaos.facts import Facts
from cli.chaos.load import Load
from cli.chaos.machine import count_others, read_usage
from cli.chaos.machine_faults import prepare_disk
from cli.chaos.nemesis import Nemesis, choose_faults
from cli.chaos.reading import Readers
from cli.chaos.report import Report, count_effects, measure, quantile
from cli.chaos.watching import Watcher, count_loud_lines
from cli.report import progress

WARM_UP_SECONDS = 2.0
# Runs of this length and more have to show that the fence and repeats were put to the test.
LONG_SECONDS = 300.0
# A machine of which others have less than this is quiet enough for times to count.
QUIET_SHARE = 0.1


class Options(Struct, frozen=True, kw_only=True):
    """What was asked for. `rate` is in starts a second, `kill_every` in seconds."""

    seconds: float
    seed: int
    faults: Sequence[str]
    rate: float
    kill_every: float | None
    keep: bool
    json_file: Path | None
    # Whether a missed goal fails the run; None: in a long run on a quiet machine.
    strict: bool | None = None


def run_chaos(options: Options) -> Report:
    """Break a product for so long, and give the report; its text is left to the caller."""
    if "fill_disk" in options.faults:
        prepare_disk()
    try:
        report, folder = uvloop.run(_run(options))
    except asyncio.CancelledError:
        # By SIGTERM, which is to tidy up as Ctrl-C does.
        raise click.Abort from None
    if options.json_file:
        options.json_file.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    if folder is not None:
        progress(f"logs and ledger are in {folder}")
    return report


async def _run(options: Options) -> tuple[Report, Path | None]:
    progress(f"chaos with --seed {options.seed}: starting servers, 2 APIs, 2 relays, 3 workers")
    if (task := asyncio.current_task()) is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    faults, obstacles = choose_faults(options.faults)
    has_small_disks = any(fault.name == "fill_disk" for fault in faults)
    async with Cluster(options.seed, keep=options.keep, has_small_disks=has_small_disks) as cluster:
        load = Load(cluster, rate=options.rate, seed=options.seed)
        watcher, readers = Watcher(cluster), Readers(cluster, load, seed=options.seed)
        nemesis = Nemesis(cluster, faults, seed=options.seed, is_long=options.seconds >= LONG_SECONDS)
        watching = asyncio.create_task(watcher.run())
        try:
            await load.open()
            began, before = time.monotonic(), read_usage()
            await _break(load, readers, nemesis, options)
            seconds, others_share = time.monotonic() - began, count_others(before, read_usage())
            progress("no more faults: waiting until all that was accepted has ended")
            rest_seconds = await come_to_rest(cluster, load)
            tail = await ask_every_role(cluster, load)
            await come_to_rest(cluster, load)
            told = (cluster.keeper, nemesis, load, readers)
            complaints = [complaint for one in told for complaint in one.complaints]
            facts = await gather_facts(cluster, load, watcher, tail, complaints)
        except Exception:
            cluster.is_broken = True
            raise
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            await load.close()
        report = await _report(options, cluster, facts)
        report.seconds, report.rest_seconds, report.obstacles = seconds, rest_seconds, obstacles
        report.recoveries = [measure(fault, nemesis.shots, facts, nemesis.kills) for fault in faults]
        report.answers, report.reads = dict(load.answers), dict(readers.answers)
        report.unknown_outcomes, report.fenced_writes = load.unknown, watcher.fenced_writes
        report.kills, report.others_share = len(nemesis.kills), others_share
        report.do_goals_count = judge_goals(options.strict, seconds, others_share)
        report.failures = find_failures(report)
        cluster.is_broken = not report.has_passed
    return report, cluster.folder if cluster.folder.exists() else None


async def _break(load: Load, readers: Readers, nemesis: Nemesis, options: Options) -> None:
    """Load and readers all the time, faults after a warm-up."""
    tasks = [asyncio.create_task(load.run()), asyncio.create_task(readers.run())]
    try:
        await asyncio.sleep(WARM_UP_SECONDS)
        tasks.append(asyncio.create_task(nemesis.run(options.seconds)))
        if options.kill_every is not None:
            tasks.append(asyncio.create_task(nemesis.kill_every(options.kill_every)))
        # Load, readers and kills go on for ever: when one of them is over first, it has failed.
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _report(options: Options, cluster: Cluster, facts: Facts) -> Report:
    connection = await cluster.connect()
    version = str(await connection.fetchval("SHOW server_version")).split()[0]
    await connection.close()
    async with cluster.servers.redis() as redis:
        server = await redis.info("server")
    latencies = sorted(
        (delivery.acked_at - delivery.sent_at) * 1000 for delivery in facts.deliveries if delivery.acked_at is not None
    )
    retried, repeated = count_effects(facts)
    return Report(
        at=now(),
        seed=options.seed,
        seconds=0.0,
        machine=describe_machine(version, str(server.get("valkey_version") or server["redis_version"])),
        recoveries=[],
        obstacles={},
        queue=count_queue(facts),
        answers={},
        reads={},
        unknown_outcomes=0,
        accepted_within_ms={
            name: quantile(latencies, share) for name, share in (("p50", 0.5), ("p95", 0.95), ("max", 1.0)) if latencies
        },
        transitions=len(facts.events),
        effects=len(facts.effects),
        retried_effects=retried,
        repeated_effects=repeated,
        kills=0,
        others_share=0.0,
        do_goals_count=False,
        fenced_workers=0,
        fenced_writes=0,
        rest_seconds=0.0,
        memory_mib=dict(facts.memory_mib),
        connections=facts.connections,
        logged=count_loud_lines(cluster.logs),
        verdicts=check_all(facts),
        failures=[],
    )


def find_failures(report: Report) -> list[str]:
    """Why the run proves too little, or what the product itself called an error."""
    report.fenced_workers = report.logged.pop("worker_starts_anew", 0)
    retried = report.logged.pop("commit_retried", 0)
    failures = [f"{name} never happened" for name in (one.name for one in report.recoveries if not one.fired)]
    failures += [f"logged {count} times: {name}" for name, count in report.logged.items()]
    if report.do_goals_count:
        missed = [one for one in report.recoveries if not one.is_met]
        failures += [f"{one.name} missed its goal of {one.goal:g} s: p95 is {one.p95:.2f} s" for one in missed]
    if not report.queue["acked"]:
        failures.append("nothing was accepted")
    if not report.reads.get("200"):
        failures.append("nothing was read")
    if report.seconds >= LONG_SECONDS and not report.fenced_writes:
        failures.append("no fenced write was seen")
    if report.seconds >= LONG_SECONDS and not report.repeated_effects:
        failures.append("no repeated effect was seen")
    report.logged["commit_retried"] = retried
    return failures


def judge_goals(strict: bool | None, seconds: float, others_share: float) -> bool:
    """Whether a missed goal fails the run: as asked for, else in a long run on a machine that others leave alone."""
    return seconds >= LONG_SECONDS and others_share < QUIET_SHARE if strict is None else strict


def choose_seed() -> int:
    """A seed for a run that was given none."""
    return random.SystemRandom().randrange(1, 1_000_000)
