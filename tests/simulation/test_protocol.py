"""The protocol around the real core, under every fault that the state machine knows, with and without its nets."""

import pytest

from tests.simulation.budget import explore
from tests.simulation.protocol import PROFILES, Nets


@pytest.mark.parametrize("nets", PROFILES, ids=lambda nets: nets.name)
def test_everything_accepted_ends_and_nothing_happens_twice(nets: Nets) -> None:
    assert explore(nets, range(4)) >= 200


@pytest.mark.full
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("nets", PROFILES, ids=lambda nets: nets.name)
def test_everything_accepted_ends_in_many_more_orders(nets: Nets) -> None:
    assert explore(nets, range(100, 140), examples=250) >= 5000
