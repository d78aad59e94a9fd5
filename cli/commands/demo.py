"""`demo`: real workflows, loaded and run."""

import signal
from types import FrameType

import click

from cli.client.errors import REFUSED
from cli.client.options import end_well
from cli.report import progress


@click.command()
@click.option("--url", help="A running product (FLOWFORGE_URL); else the one of the data folder, or one is started.")
@click.option("--data-dir", help="Data folder of that product (FLOWFORGE_DATA_DIR, .flowforge).")
@click.option("--port", help="Port of a product that is started (FLOWFORGE_PORT, 8000).")
@click.option(
    "--target-port", type=click.IntRange(1, 65535), default=8707, show_default=True, help="The target's port."
)
@click.option("--once", is_flag=True, help="End after the tour; else the target stays until Ctrl-C.")
def command(url: str | None, data_dir: str | None, port: str | None, target_port: int, once: bool) -> int:
    """Load the demo's workflows and their webhooks, run each against a target on this machine, and show the results.

    Where no product runs, one is started for the demo, which may call the target. A running one must be allowed to by
    FLOWFORGE_HTTP_ALLOW_PRIVATE. Where nobody can sign in yet, the demo makes the first user and prints the password.
    Doing it again updates the workflows.
    """
    # Also where a script that starts us in the background has Ctrl-C ignored, as `up` does.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    return end_well(lambda: _run(url, data_dir, port, target_port, is_once=once))


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """SIGTERM ends everything as Ctrl-C does."""
    raise KeyboardInterrupt


def _run(url: str | None, data_dir: str | None, port: str | None, target_port: int, *, is_once: bool) -> int:
    # Only here: the other commands need no server.
    from cli.demo.access import sign_in  # noqa: PLC0415 - loads a server
    from cli.demo.loading import load_workflows  # noqa: PLC0415 - loads a server
    from cli.demo.place import find_place  # noqa: PLC0415 - loads a server
    from cli.demo.results import explain_refusal, print_next, print_results  # noqa: PLC0415 - loads a server
    from cli.demo.target import HOST, DemoTarget  # noqa: PLC0415 - loads a server
    from cli.demo.telling import tell, tell_loaded, title  # noqa: PLC0415 - loads a server
    from cli.demo.tour import Tour, is_refused  # noqa: PLC0415 - loads a server

    target = f"{HOST}:{target_port}"
    title("FlowForge demo")
    with DemoTarget(target_port).running():
        tell("target", f"http://{target}, a shop and its services, on this machine alone")
        with find_place(url, data_dir, port, target) as place:
            api, people = sign_in(place)
            loaded = load_workflows(api, target_port)
            tell_loaded([workflow.outcome for workflow in loaded.values()])
            shown = Tour(api, people, loaded).run()
            print_results(shown)
            if is_refused(shown[-1].run):
                explain_refusal(place, target)
                return REFUSED
            print_next(place, shown, loaded, stays=not is_once)
            code = 0 if all(each.run["status"] == "succeeded" for each in shown) else REFUSED
            if not is_once:
                _stay("FlowForge and the target" if place.is_ours else "the target")
            return code


def _stay(what: str) -> None:
    click.echo(err=True)
    progress(f"Ctrl-C stops {what}.")
    try:
        while True:
            signal.pause()
    except KeyboardInterrupt:
        progress(f"stopping {what}")
