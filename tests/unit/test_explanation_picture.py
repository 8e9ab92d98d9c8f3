"""The matrix of what reaches what, in characters and as an image."""

from __future__ import annotations

import re

import pytest

from gconvbench.cases import Case
from gconvbench.records import Connections
from gconvbench.report.explanation import LayerExplained
from gconvbench.report.explanation.picture import ALL, NONE, SOME, picture_lines, picture_of
from gconvbench.report.explanation.picture_html import picture_svg
from gconvbench.report.explanation.seen import Seen
from tests.fakes import make_explanation
from tests.markup import Elements


def layer(groups: int, in_channels: int, out_channels: int | None = None) -> Case:
    return Case(groups=groups, in_channels=in_channels, out_channels=out_channels or in_channels)


def rows_of(case: Case) -> list[list[int]]:
    return Seen(case, make_explanation(case).connections.rows).rows


def drawn(case: Case) -> list[str]:
    return picture_lines(picture_of(case, rows_of(case)))


def test_small_layers_have_a_cell_per_connection() -> None:
    assert drawn(layer(2, 4, 2)) == [
        "            inputs 0 to 3",
        "outputs     ████····",
        "0 to 1      ····████",
        "            ██ sees   ·· does not see",
    ]


def test_groups_of_depthwise_layers_share_cells_that_see_some() -> None:
    lines = drawn(layer(1024, 1024))

    assert lines[0] == "            inputs 0 to 1023, 64 a column"
    assert lines[1] == "outputs     ▒▒" + 15 * "··"
    assert lines[-1] == "            ▒▒ sees some   ·· does not see"
    assert len(lines) == 18


@pytest.mark.parametrize(
    "case",
    [
        layer(2, 96, 192), layer(3, 111), layer(5, 65, 130), layer(16, 256), layer(11, 2904),
        layer(7, 7 * 37), layer(2, 2), layer(2, 2, 512),
    ],
)  # fmt: skip
def test_borders_of_few_groups_are_borders_of_cells(case: Case) -> None:
    cells = {cell for row in picture_of(case, rows_of(case)).cells for cell in row}

    assert cells == {NONE, ALL}


@pytest.mark.parametrize("case", [layer(1009, 1009), layer(17, 34), layer(32, 128, 96)])
def test_many_groups_stay_on_the_diagonal(case: Case) -> None:
    picture = picture_of(case, rows_of(case))
    size = len(picture.cells)

    assert all(row[i] == SOME or row[i] == ALL for i, row in enumerate(picture.cells))
    assert sum(cell != NONE for row in picture.cells for cell in row) <= 3 * size


@pytest.mark.parametrize("case", [layer(2, 96, 192), layer(1009, 1009), layer(3, 3**9)])
def test_a_picture_is_small_whatever_the_layer(case: Case) -> None:
    lines = drawn(case)

    assert len(lines) <= 18
    assert max(map(len, lines)) <= 78


def test_what_was_seen_is_what_is_drawn() -> None:
    case = layer(2, 4)
    rows = [[0, 1, 3], [], [2], [2, 3]]

    assert [line[12:] for line in picture_lines(picture_of(case, rows))[1:5]] == [
        "████··██",
        "········",
        "····██··",
        "····████",
    ]


def test_the_image_has_a_rectangle_per_run_and_says_what_it_shows() -> None:
    case = layer(2, 4, 2)
    elements = Elements(picture_svg(case, rows_of(case), "a <title> & more"))
    (svg,) = elements.named("svg")

    assert svg["role"] == "img"
    assert svg["aria-label"] == "a <title> & more"
    assert svg["viewbox"] == "0 0 4 2"
    assert len(elements.named("title")) == 1
    assert [(r["x"], r["y"], r["width"]) for r in elements.named("rect")] == [
        ("0", "0", "2"), ("2", "0", "2"), ("0", "1", "2"), ("2", "1", "2"),
    ]  # fmt: skip


def test_the_html_brings_nothing_that_runs_or_is_loaded_and_no_colour_of_its_own() -> None:
    seen = Connections(rows=("0", "1"), probe="<script>", is_own_size=True)
    found = make_explanation(
        layer(2, 2), connections=seen, device_name="<script>alert(1)</script>", torch="<b>"
    )
    html = LayerExplained(found, "<i>hint</i>")._repr_html_()
    elements = Elements(html)

    assert {tag for tag, _ in elements.found} == {
        "div", "table", "caption", "br", "strong", "tbody", "tr", "th", "td", "figure", "svg",
        "title", "rect", "figcaption",
    }  # fmt: skip
    assert all(th["scope"] == "row" for th in elements.named("th"))
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "&lt;i&gt;hint&lt;/i&gt;" in html
    assert not re.search(r"https?:|url\(|src=|href=|\son\w+=|#[0-9a-f]{3}|rgb\(", html)
    assert 'fill="currentColor"' in html


def test_of_an_ordinary_convolution_or_without_sight_there_is_no_image() -> None:
    nothing = Connections(rows=(), probe="", is_own_size=False, note="too long")

    assert "<svg" not in LayerExplained(make_explanation(layer(1, 4)))._repr_html_()
    assert (
        "<svg"
        not in LayerExplained(make_explanation(layer(2, 4), connections=nothing))._repr_html_()
    )


def test_the_text_has_no_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    text = repr(LayerExplained(make_explanation(layer(2, 4))))

    assert "\x1b" not in text
    assert text.endswith("on cpu (a processor), torch 2.6.0")
