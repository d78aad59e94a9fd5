"""The web app in a real browser, over a real product: each file of `ui/e2e` is a journey."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from cli.ui_toolchain import UI, Node
from tests.integration.api.identity_provider import CLIENT_SECRET, identity_provider
from tests.product import Product
from tests.ui.lanes import TOLD, Lane
from tests.ui.seeding import seed_many_runs

pytestmark = [pytest.mark.timeout(1200), pytest.mark.without_faults("a browser does not try again what was refused")]

SECONDS = 900.0
# This one begins where nobody has set anything up; the other kills processes, under which nobody else may suffer.
FIRST_RUN = "setup.spec.ts"
OUTAGE = "outage.spec.ts"
# Through one product these lead, in this order: between the set-up and the outage, journeys that keep to a workspace
# of their own. All others lead through the other one, at the same time.
NEW = (
    FIRST_RUN,
    "approvals.spec.ts",
    "connections.spec.ts",
    "members.spec.ts",
    "steering.spec.ts",
    "triggers.spec.ts",
    "variables.spec.ts",
    "workflow.spec.ts",
    OUTAGE,
)
# This one has thousands of runs put in place before it.
LARGE = "large.spec.ts"
# At the other one people may sign in through a provider, whose name is none of ours.
PROVIDER = {"FLOWFORGE_OIDC_CLIENT_ID": "flowforge", "FLOWFORGE_OIDC_NAME": "Acme <b>"}
ALL = sorted(path.name for path in (UI / "e2e").glob("*.spec.ts"))
JOURNEYS = [*NEW[:-1], *(name for name in ALL if name not in NEW), OUTAGE]


@pytest.fixture(scope="module")
def find_lane(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, bundle: None, node: Node, chromium: str
) -> Iterator[Callable[[str], Lane]]:
    """The lane of a journey. Lanes lead through all that is asked for of theirs, from the beginning on."""
    asked = _asked_for(request.session)
    lanes: dict[str, Lane] = {}
    with ExitStack() as stack:
        for name, start, journeys in (
            ("new", _start_new, [journey for journey in asked if journey in NEW]),
            ("shared", _start_shared, [journey for journey in asked if journey not in NEW]),
        ):
            if journeys:
                folder = tmp_path_factory.mktemp(name)
                environment = {**start(folder, stack, journeys), "E2E_CHROMIUM": chromium}
                lane = Lane(journeys, node, folder, environment)
                stack.callback(lane.end)
                lanes |= dict.fromkeys(journeys, lane)
        yield lanes.__getitem__
        request.config.stash[TOLD] = [told for lane in set(lanes.values()) for told in lane.told]


def _asked_for(session: pytest.Session) -> list[str]:
    mine = [item for item in session.items if isinstance(item, pytest.Function) and item.path == Path(__file__)]
    return [str(item.callspec.params["journey"]) for item in mine]


def _start_new(folder: Path, stack: ExitStack, _journeys: list[str]) -> dict[str, str]:
    """A product that nobody has set up, and what its journeys are told of it."""
    return _start(Product(folder / "data"), stack)


def _start_shared(folder: Path, stack: ExitStack, journeys: list[str]) -> dict[str, str]:
    """A product with a provider, and what its journeys are told of it."""
    product = Product(folder / "data")
    issuer = stack.enter_context(identity_provider(f"{product.url}/v1/auth/oidc/callback"))
    product.configure(
        **PROVIDER,
        FLOWFORGE_OIDC_ISSUER=issuer,
        FLOWFORGE_OIDC_CLIENT_SECRET=CLIENT_SECRET,
        FLOWFORGE_HTTP_ALLOW_PRIVATE=urlsplit(issuer).netloc,
    )
    environment = _start(product, stack)
    if LARGE in journeys:
        seed_many_runs(product)
    return {**environment, "E2E_PROVIDER": issuer}


def _start(product: Product, stack: ExitStack) -> dict[str, str]:
    stack.callback(product.stop)
    product.start()
    assert product.process is not None
    return {
        "E2E_URL": product.url,
        "E2E_RUN_FILE": str(product.folder / "run.json"),
        "E2E_SUPERVISOR": str(product.process.pid),
    }


@pytest.mark.parametrize("journey", JOURNEYS)
def test_a_journey_through_the_web_app(journey: str, find_lane: Callable[[str], Lane]) -> None:
    told = find_lane(journey).wait_for(journey, SECONDS)
    if not told.has_passed:
        # Only what the journey says: where it was asked for says nothing.
        pytest.fail("\n\n".join(told.faults), pytrace=False)
