"""The web app in a real browser, over a real product: each file of `ui/e2e` is a journey."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from cli.ui_toolchain import UI, Node, run
from tests.product import Product
from tests.ui.seeding import seed_many_runs

pytestmark = [pytest.mark.timeout(1200), pytest.mark.without_faults("a browser does not try again what was refused")]

SECONDS = 900.0
# This one begins where nobody has set anything up.
FIRST_RUN = "setup.spec.ts"
# What is put in place before a journey.
PREPARED = {"large.spec.ts": seed_many_runs}
JOURNEYS = sorted(path.name for path in (UI / "e2e").glob("*.spec.ts"))


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory, bundle: None) -> Iterator[Callable[[str], Product]]:
    """A running product by its name, started when it is asked for first."""
    running: dict[str, Product] = {}
    with ExitStack() as stack:

        def find(name: str) -> Product:
            if name not in running:
                product = Product(tmp_path_factory.mktemp(name) / "data")
                stack.callback(product.stop)
                product.start()
                running[name] = product
            return running[name]

        yield find


@pytest.mark.parametrize("journey", JOURNEYS)
def test_a_journey_through_the_web_app(
    journey: str, start: Callable[[str], Product], node: Node, chromium: str
) -> None:
    product = start("new" if journey == FIRST_RUN else "shared")
    if prepare := PREPARED.get(journey):
        prepare(product)
    vitest = UI / "node_modules" / "vitest" / "vitest.mjs"
    run(
        [node.program, vitest, "run", "--config", "vitest.e2e.config.ts", f"e2e/{journey}"],
        node,
        seconds=SECONDS,
        what=f"The journey {journey}",
        extra={"E2E_URL": product.url, "E2E_CHROMIUM": chromium},
    )
