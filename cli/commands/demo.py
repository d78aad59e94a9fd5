"""`demo`: real workflows, loaded and run."""

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
    return end_well(lambda: _run(url, data_dir, port, target_port, is_once=once))


def _run(url: str | None, data_dir: str | None, port: str | None, target_port: int, *, is_once: bool) -> int:
    # Only here: the other commands need no server.
    from cli.demo.loading import load_workflows  # noqa: PLC0415 - see above
    from cli.demo.place import ALLOW, find_place, sign_in  # noqa: PLC0415 - see above
    from cli.demo.target import HOST, DemoTarget  # noqa: PLC0415 - see above
    from cli.demo.tour import Tour, find_refusal, print_results, wait_for_ctrl_c  # noqa: PLC0415 - see above

    target = f"{HOST}:{target_port}"
    with DemoTarget(target_port).running(), find_place(url, data_dir, port, target) as place:
        api = sign_in(place.url, data_dir)
        loaded = load_workflows(api, target_port)
        shown = Tour(api, sign_in(place.url, data_dir), loaded).run()
        if shown is None:
            return REFUSED
        print_results(shown, loaded, place.url)
        if find_refusal(shown):
            progress(f"{place.url} may not call the demo's target. Start it again with {ALLOW}={target}.")
            return REFUSED
        code = 0 if all(each.run["status"] == "succeeded" for each in shown) else REFUSED
        if not is_once:
            what = "FlowForge and the target" if place.is_ours else "the target"
            progress(f"Send a webhook of your own, or look around. Ctrl-C stops {what}.")
            try:
                wait_for_ctrl_c()
            except KeyboardInterrupt:
                progress(f"stopping {what}")
        return code
