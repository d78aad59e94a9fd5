"""What dies is started again after pauses that grow, to under a second, and begin anew after five seconds of life."""

import pytest

from cli.supervisor import Delays

KILLED_EVERY_3 = [3.0] * 8


@pytest.mark.parametrize(
    ("lives", "pauses"),
    [
        pytest.param([0.0] * 3, [0.1, 0.2, 0.4], id="dies at once"),
        pytest.param(KILLED_EVERY_3, [0.1, 0.2, 0.4, 0.8, 0.95, 0.95, 0.95, 0.95], id="killed every three seconds"),
        pytest.param([1.0, 1.0, 5.1, 1.0], [0.1, 0.2, 0.1, 0.2], id="lived for five seconds in between"),
        pytest.param([3600.0, 5.1, 5.1], [0.1, 0.1, 0.1], id="dies now and then"),
        pytest.param([1.0, 4.9], [0.1, 0.2], id="did not live for long enough"),
    ],
)
def test_the_pause_before_a_start_grows_and_starts_anew(lives: list[float], pauses: list[float]) -> None:
    delays = Delays()
    assert [delays.after(seconds) for seconds in lives] == pauses
    assert max(pauses) < 1
