"""One load test from its start to its report."""

import asyncio
import shutil
import signal
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import asyncpg
import click
import msgspec
from msgspec import Struct

from cli.bench.report import Machine, describe_machine, now
from cli.report import progress
from loadtests.accounting import Account, list_receipts, list_runs, settle, wait_for_ends
from loadtests.api import Api
from loadtests.figures import Result, find_errors, make_figures
from loadtests.locust_process import LocustProcess
from loadtests.place import Place, Prepared, open_place, publish, remove
from loadtests.plan import Plan, Seen, Sent, read_seen, read_sent
from loadtests.profiles import Profile
from loadtests.report import SHOWN, Summary, write_files, write_table
from loadtests.sampling import Sample, Sampler
from loadtests.timelines import make_plots
from loadtests.workflows import make_shapes

# How long the runs of the last events may take until they are told as lost.
END_SECONDS: Final = 180.0
AT_ONCE: Final = 8
# A plot has room for no more.
SAMPLES: Final = 600


class Options(Struct, frozen=True, kw_only=True):
    """What was asked for. Without `url`, a product of its own is started."""

    name: str
    profile: Profile
    folder: Path
    url: str | None
    token: str | None
    is_busy: bool


class _Loaded(Struct, frozen=True, kw_only=True):
    """What is known once the load is over."""

    sent: list[Sent]
    seen: Seen
    account: Account
    samples: Sequence[Sample]
    machine: Machine | None


def run_load_test(options: Options) -> int:
    """Put a product under load, print the table, write the reports; the exit code: 1 where a bound is missed."""
    options.folder.mkdir(parents=True, exist_ok=True)
    try:
        summary = asyncio.run(_run(options))
    except asyncio.CancelledError:
        # By Ctrl-C or SIGTERM, after everything was tidied up.
        raise click.Abort from None
    click.echo(write_table(summary))
    return 1 if summary.missed else 0


async def _run(options: Options) -> Summary:
    if (task := asyncio.current_task()) is not None:
        # Ctrl-C as well: a script that starts us in the background has it ignored otherwise.
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    if options.url is None:
        progress("starting the product to put under load")
    async with open_place(options.url, options.token) as place:
        try:
            loaded = await _load(options, place)
        finally:
            if place.product:
                # Its folder goes with it.
                shutil.copyfile(place.product.log, options.folder / "product.log")
    result = Result(
        profile=options.profile,
        sent=loaded.sent,
        seen=loaded.seen,
        account=loaded.account,
        samples=loaded.samples,
        is_busy=options.is_busy,
        is_own=options.url is None,
    )
    summary = _summarise(options, result, loaded.machine)
    write_files(options.folder, summary, make_plots(result))
    progress(f"the report with plots is {options.folder / 'report.html'}")
    return summary


async def _load(options: Options, place: Place) -> _Loaded:
    """Send everything, wait for all ends, and look them up."""
    profile = options.profile
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(Api(place.url, place.find_token))
        prepared = await _prepare(api, profile)
        if place.product is None:
            # It goes on afterwards, for others.
            stack.push_async_callback(remove, api, prepared)
        interval = max(1.0, profile.seconds / SAMPLES)
        sampler = Sampler(place.product, interval) if place.product else None
        locust = LocustProcess(_plan(options, place, prepared))
        stack.push_async_callback(locust.stop)
        if sampler:
            await stack.enter_async_context(sampler)
        progress(f"{profile.rate:.1f} events/s for {profile.seconds:g} s to {place.url}")
        pid = await locust.start()
        if sampler:
            sampler.locust = pid
        await locust.wait()
        sent, seen = read_sent(options.folder), read_seen(options.folder)
        progress(f"{len(sent)} events sent: waiting for the ends of their runs")
        await wait_for_ends(api, prepared, seen.began_at, seconds=END_SECONDS)
        runs = await list_runs(api, prepared, seen.began_at)
        receipts = await list_receipts(api, prepared, seen.began_at)
        account = settle(prepared, sent, runs, receipts, await api.ingest())
        return _Loaded(
            sent=sent,
            seen=seen,
            account=account,
            samples=sampler.samples if sampler else [],
            machine=await _describe_machine(place),
        )


async def _prepare(api: Api, profile: Profile) -> list[Prepared]:
    """Publish the workflows, some at a time."""
    slots = asyncio.Semaphore(AT_ONCE)
    shapes = make_shapes(profile.flow, profile.workflows)

    async def one(number: int) -> Prepared:
        async with slots:
            return await publish(api, shapes[number])

    progress(f"publishing {len(shapes)} workflow{'s' * (len(shapes) > 1)}")
    return list(await asyncio.gather(*(one(number) for number in range(len(shapes)))))


def _plan(options: Options, place: Place, prepared: Sequence[Prepared]) -> Plan:
    profile = options.profile
    return Plan(
        url=place.url,
        token=place.find_token(),
        folder=str(options.folder.absolute()),
        hooks=[workflow.hook for workflow in prepared],
        workflow_ids=[workflow.workflow_id for workflow in prepared],
        rate=profile.rate,
        count=max(round(profile.rate * profile.seconds), 1),
        readers=profile.readers,
        workspace_streams=profile.workspace_streams,
        run_streams=profile.run_streams,
    )


async def _describe_machine(place: Place) -> Machine | None:
    if place.product is None:
        return None
    connection = await asyncpg.connect(place.product.database_url)
    try:
        version = str(await connection.fetchval("SHOW server_version")).split()[0]
    finally:
        await connection.close()
    return describe_machine(version, await place.product.redis_version())


def _summarise(options: Options, result: Result, machine: Machine | None) -> Summary:
    account = result.account
    trouble = {
        "accepted and not found": account.not_found,
        "runs nobody sent": account.unexplained,
        "events that share a run": account.shared,
        "not ended": account.not_ended,
        "ended otherwise than they should": account.ended_otherwise,
        "receipts that disagree": account.receipts_that_disagree,
        "receipts of nothing": account.unexplained_receipts,
        "gaps in streams": result.seen.gaps,
        "left out by a stream": [run for runs in result.seen.left_out.values() for run in runs],
    }
    return Summary(
        profile=options.name,
        title=options.profile.title,
        at=now(),
        rate=options.profile.rate,
        seconds=options.profile.seconds,
        is_busy=options.is_busy,
        is_own_product=options.url is None,
        machine=machine,
        figures=make_figures(result),
        errors=find_errors(result.sent, result.seen)[:SHOWN],
        trouble={kind: found[:SHOWN] for kind, found in trouble.items() if found},
    )


def adjust(profile: Profile, rate: float | None, seconds: float | None) -> Profile:
    """The profile with another rate or length."""
    changes = {name: value for name, value in (("rate", rate), ("seconds", seconds)) if value is not None}
    return msgspec.structs.replace(profile, **changes)
