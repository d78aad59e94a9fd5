"""The page, the table and the plots."""

from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest
from msgspec import structs

from loadtests.figures import make_figures
from loadtests.notes import list_explained
from loadtests.plots import MOST_POINTS, Plot, Series, draw
from loadtests.profiles import PROFILES
from loadtests.report import HTML, JSON, Summary, write_files, write_table
from loadtests.timelines import make_plots
from tests.unit.loadtests.results import make_result, make_sent

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
EVIL = "<script>alert(1)</script>"


class Parts(HTMLParser):
    """What a page consists of."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in {"href", "src"}]


def make_summary(*, is_good: bool = True) -> Summary:
    result = make_result("burst")
    if not is_good:
        result = structs.replace(result, sent=[structs.replace(one, error=EVIL) for one in make_sent(100)])
    return Summary(
        profile="burst",
        title="a title",
        at=WHEN,
        rate=10,
        seconds=10,
        is_busy=True,
        is_own_product=True,
        machine=None,
        figures=make_figures(structs.replace(result, is_busy=True)),
        errors=[] if is_good else [EVIL],
        trouble={},
    )


def test_the_page_stands_alone_and_has_every_plot(tmp_path: Path) -> None:
    plots = make_plots(make_result())
    write_files(tmp_path, make_summary(), plots)
    page = (tmp_path / HTML).read_text()
    parts = Parts()
    parts.feed(page)
    assert parts.addresses == ["locust.html", "summary.json"]
    assert parts.tags.count("svg") == len(plots) == 9
    for title in ("Accepted and ended", "Outbox", "CPU", "Memory", "Accepted to ended, by the second of acceptance"):
        assert title in page


def test_the_page_tells_what_its_figures_mean(tmp_path: Path) -> None:
    write_files(tmp_path, make_summary(), [])
    page = (tmp_path / HTML).read_text()
    assert "accepted and not found<br><small>answered 202, and there is no such run: a lost event</small>" in page


def test_every_explanation_is_of_a_figure_that_is_taken() -> None:
    names = {figure.name for profile in PROFILES for figure in make_figures(make_result(profile))}
    unused = [beginning for beginning in list_explained() if not any(name.startswith(beginning) for name in names)]
    assert unused == []


def test_what_others_wrote_is_no_markup(tmp_path: Path) -> None:
    write_files(tmp_path, make_summary(is_good=False), [])
    assert EVIL not in (tmp_path / HTML).read_text()
    assert "alert(1)" in (tmp_path / HTML).read_text()


def test_the_json_holds_the_verdicts(tmp_path: Path) -> None:
    summary = make_summary(is_good=False)
    write_files(tmp_path, summary, [])
    read = msgspec.json.decode((tmp_path / JSON).read_bytes(), type=Summary)
    assert [figure.name for figure in read.missed] == ["errors"]
    assert read.figures == summary.figures


@pytest.mark.parametrize(
    ("is_good", "last"), [(True, "Every bound holds: accepted = ended."), (False, "MISSED: errors.")]
)
def test_the_table_ends_with_the_verdict(is_good: bool, last: str) -> None:
    assert write_table(make_summary(is_good=is_good)).splitlines()[-1] == last


def test_a_peak_is_never_left_out_of_a_plot() -> None:
    values = [0.0] * (10 * MOST_POINTS)
    values[4321] = 100.0
    drawn = draw(Plot(title="t", unit="u", series=[Series(name="s", points=list(enumerate(values)))]))
    points = drawn.partition('points="')[2].partition('"')[0].split()
    assert len(points) <= MOST_POINTS
    heights = {float(point.split(",")[1]) for point in points}
    assert len(heights) == 2
    assert min(heights) == 12.0


@pytest.mark.parametrize(
    ("most", "labels"),
    [
        (10.0, ["0", "2", "4", "6", "8", "10"]),
        (0.7, ["0", "0.2", "0.4", "0.6", "0.8"]),
        (3000.0, ["0", "1000", "3000"]),
    ],
)
def test_the_grid_has_round_numbers(most: float, labels: list[str]) -> None:
    drawn = draw(Plot(title="t", unit="u", series=[Series(name="s", points=[(0, 0.0), (9, most)])]))
    assert [label for label in labels if f">{label}</text>" not in drawn] == []


@pytest.mark.parametrize("points", [[], [(0.0, 0.0)]])
def test_a_plot_of_little_is_drawn(points: list[tuple[float, float]]) -> None:
    drawn = draw(Plot(title="t", unit="u", series=[Series(name="s", points=points)]))
    assert ("Not measured" in drawn) is not bool(points)
