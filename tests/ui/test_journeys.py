"""The web app in a real browser, over a real product: each file of `ui/e2e` is a journey."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest

from cli.ui_toolchain import UI, Node, run
from tests.integration.api.identity_provider import CLIENT_SECRET, identity_provider
from tests.product import Product
from tests.ui.seeding import seed_many_runs

pytestmark = [pytest.mark.timeout(1200), pytest.mark.without_faults("a browser does not try again what was refused")]

SECONDS = 900.0
# This one begins where nobody has set anything up; the other kills processes, under which nobody else may suffer.
FIRST_RUN = "setup.spec.ts"
OUTAGE = "outage.spec.ts"
NEW = "new"
# At this one people may sign in through a provider, whose name is none of ours.
SHARED = "shared"
PROVIDER = {"FLOWFORGE_OIDC_CLIENT_ID": "flowforge", "FLOWFORGE_OIDC_NAME": "Acme <b>"}
# What is put in place before a journey.
PREPARED = {"large.spec.ts": seed_many_runs}
# The set-up comes first: the others go on from there.
JOURNEYS = sorted((path.name for path in (UI / "e2e").glob("*.spec.ts")), key=lambda name: (name != FIRST_RUN, name))


class Journey(NamedTuple):
    """A running product, and what its journeys are told of it."""

    product: Product
    environment: dict[str, str]


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory, bundle: None) -> Iterator[Callable[[str], Journey]]:
    """A running product by its name, started when it is asked for first."""
    running: dict[str, Journey] = {}
    with ExitStack() as stack:

        def find(name: str) -> Journey:
            if name not in running:
                product = Product(tmp_path_factory.mktemp(name) / "data")
                environment = {"E2E_URL": product.url}
                if name == SHARED:
                    issuer = stack.enter_context(identity_provider(f"{product.url}/v1/auth/oidc/callback"))
                    environment["E2E_PROVIDER"] = issuer
                    product.configure(
                        **PROVIDER,
                        FLOWFORGE_OIDC_ISSUER=issuer,
                        FLOWFORGE_OIDC_CLIENT_SECRET=CLIENT_SECRET,
                        FLOWFORGE_HTTP_ALLOW_PRIVATE=urlsplit(issuer).netloc,
                    )
                stack.callback(product.stop)
                product.start()
                assert product.process is not None
                environment |= {
                    "E2E_RUN_FILE": str(product.folder / "run.json"),
                    "E2E_SUPERVISOR": str(product.process.pid),
                }
                running[name] = Journey(product, environment)
            return running[name]

        yield find


@pytest.mark.parametrize("journey", JOURNEYS)
def test_a_journey_through_the_web_app(
    journey: str, start: Callable[[str], Journey], node: Node, chromium: str
) -> None:
    product, environment = start(NEW if journey in (OUTAGE, FIRST_RUN) else SHARED)
    if prepare := PREPARED.get(journey):
        prepare(product)
    vitest = UI / "node_modules" / "vitest" / "vitest.mjs"
    run(
        [node.program, vitest, "run", "--config", "vitest.e2e.config.ts", f"e2e/{journey}"],
        node,
        seconds=SECONDS,
        what=f"The journey {journey}",
        extra={**environment, "E2E_CHROMIUM": chromium},
    )
