"""`gconvbench report`: the page in a real browser, and markdown."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from gconvbench.cases import Case, flops, min_bytes
from gconvbench.records import Ceilings
from gconvbench.store import load_run
from tests.fakes import make_plan, make_record, store_run
from tests.functional import pages
from tests.functional.conftest import ROOT, Command
from tests.functional.test_show import without_torch
from tests.histories import commit_of, store_history

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 400, "height": 800}
PLOTS = ("crossover", "roofline", "accuracy", "networks", "history")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with pages.started() as found:
        yield found


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of one synthetic sweep."""
    return page_of(tmp_path_factory.mktemp("grid"), pages.store_grid)


@pytest.fixture(scope="module")
def stepped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of forty runs, in which the split ones get slower with another PyTorch."""
    folder = tmp_path_factory.mktemp("stepped")
    store_history(
        folder / "results", 40,
        lambda index, record: 1.1 if index >= 24 and "split" in record.job.implementation else 1,
        under_test=lambda index: {"torch": "2.13.0" if index < 24 else "2.14.0"},
    )  # fmt: skip
    return page_of(folder)


def page_of(folder: Path, store: Any = None) -> Path:
    if store is not None:
        store(folder / "results")
    outcome = Command(folder)("report")
    assert outcome.code == 0, outcome.err
    assert re.search(r"^report.html: \d+ run\(s\), \d+\.\d MB\n\Z", outcome.err, re.MULTILINE)
    assert len(outcome.err.splitlines()) <= 7
    return folder / "report.html"


def show(page: Page, section: str) -> None:
    """Scroll there, and wait until its plot is drawn."""
    page.locator(f"#{section}").scroll_into_view_if_needed()
    expect(page.locator(f"#{section}-caption")).not_to_be_empty()


def traces(page: Page, plot: str) -> list[dict[str, Any]]:
    """The data that a plot holds."""
    text = page.evaluate("id => JSON.stringify(document.getElementById(id).data)", plot)
    found: list[dict[str, Any]] = json.loads(text)
    return found


def rows(page: Page) -> list[str]:
    return page.locator("#table tbody tr").all_inner_texts()


def data_of(path: Path) -> dict[str, Any]:
    text = path.read_text("utf-8").partition('id="data">')[2].partition("</script>")[0]
    found: dict[str, Any] = json.loads(text)
    return found


# The answer and the table.


def test_the_answer_comes_first(browser: Browser, grid: Path) -> None:
    with pages.opened(browser, grid, viewport=WIDE) as page:
        said = page.locator("#answer").inner_text()
        assert "In 6 of 12 cases another implementation is clearly faster than native" in said
        assert "In the other 6 none is clearly faster." in said
        assert "split_concat in 4 (up to 2.0" in said
        assert "block_diagonal in 2 (up to 4.0" in said
        assert "1 wrong (wrong_one); 1 crashed (dying)" in said
        assert page.locator("main > section").first.get_attribute("id") == "answer"


def test_filters_leave_the_cases_that_they_name(browser: Browser, grid: Path) -> None:
    with pages.opened(browser, grid, viewport=WIDE) as page:
        assert len(rows(page)) == 12
        filters = page.locator("#filters")
        filters.get_by_label("dtype").select_option("bfloat16")
        assert len(rows(page)) == 6
        filters.get_by_label("best").select_option(label="block_diagonal")
        (row,) = rows(page)
        assert "bfloat16" in row
        assert "groups 2" in row
        assert page.locator("#count").inner_text().startswith("1 of 12 cases")
        filters.get_by_label("dtype").select_option("")
        filters.get_by_label("best").select_option("")
        filters.get_by_label("show").select_option("bad")
        assert "wrong_one wrong; dying crashed" in rows(page)[0]
        for state, count in (("clear", 6), ("labelled", 4), ("proved", 0), ("all", 12)):
            filters.get_by_label("show").select_option(state)
            assert len(rows(page)) == count, state
        filters.get_by_label("search").fill("net/layer16")
        expect(page.locator("#table tbody tr")).to_have_count(1)


def test_columns_sort_both_ways_and_say_so(browser: Browser, grid: Path) -> None:
    with pages.opened(browser, grid, viewport=WIDE) as page:
        for direction, expected in (("descending", "4.0"), ("ascending", "1x")):
            page.get_by_role("button", name="speedup").click()
            head = page.locator("#table th", has_text="speedup")
            assert head.get_attribute("aria-sort") == direction
            assert page.locator("#table tbody tr td:nth-child(5)").first.inner_text().startswith(
                expected
            )  # fmt: skip


def test_more_cases_than_a_screen_bears_come_when_asked_for(
    browser: Browser, tmp_path: Path
) -> None:
    cases = [Case(batch=batch, in_channels=2, out_channels=2, height=3, width=3)
             for batch in range(1, 251)]  # fmt: skip
    records = [make_record(name, case=case) for case in cases for name in ("native", "other")]
    store_run(tmp_path / "results", records, plan=make_plan(cases))
    with pages.opened(browser, page_of(tmp_path), viewport=WIDE) as page:
        assert len(rows(page)) == 100
        page.locator("#more").click()
        assert len(rows(page)) == 250
        assert page.locator("#more").is_hidden()


# One case.


def test_a_link_leads_to_everything_about_a_case(browser: Browser, grid: Path) -> None:
    with pages.opened(browser, grid, viewport=WIDE) as page:
        page.locator("#table tbody a").first.click()
        page.locator("#case-plot .main-svg").first.wait_for()
        assert page.evaluate("document.activeElement.id") == "case"
        said = page.locator("#case").inner_text()
        for text in (
            "wrong: sums wrongly", "crashed: signal 11", "drifting", "1x1 kernels only",
            "onednn::convolution(jit)", "aten::convolution", "one group", "10 %", "4.0e-07",
            "gconvbench run --case g1mb1ic4ih8iw8oc4",
        ):  # fmt: skip
            assert text in page.locator("#case").evaluate("one => one.textContent"), said
        boxes = traces(page, "case-plot")
        assert [one["type"] for one in boxes] == ["box"] * 3
        assert [len(one["x"]) for one in boxes] == [60] * 3


def test_samples_on_the_page_are_those_that_were_stored(browser: Browser, grid: Path) -> None:
    run = load_run(next((grid.parent / "results").glob("runs/*/*.jsonl")))
    record = next(one for one in run.records if one.round == 2)
    with pages.opened(browser, grid, viewport=WIDE) as page:
        page.locator("#table tbody a").first.click()
        page.locator("#case-plot .main-svg").first.wait_for()
        box = traces(page, "case-plot")[1]
        shown = [x for x, y in zip(box["x"], box["y"], strict=True)
                 if y == record.job.implementation]  # fmt: skip
        assert shown == pytest.approx(list(record.timings[0].samples_s), rel=1e-3)


def test_the_command_of_a_case_measures_it_again(gconvbench: Command, grid: Path) -> None:
    data = data_of(grid)
    fields = data["fields"]["case"]
    case = dict(zip(fields, data["machines"][0]["cases"][2], strict=True))
    words = case["command"].split()
    assert words[:2] == ["gconvbench", "run"]
    outcome = gconvbench("list", *words[2:])
    assert outcome.code == 0, outcome.err
    assert case["id"] in outcome.out
    assert "3 jobs in 3 round(s) on cpu" in outcome.out


def test_a_link_from_elsewhere_opens_its_case(browser: Browser, grid: Path) -> None:
    with pages.opened(browser, grid, viewport=WIDE) as page:
        link = page.locator("#table tbody a").nth(3).get_attribute("href")
        page.goto(f"{grid.as_uri()}{link}")
        page.reload()
        page.locator("#case").wait_for()
        page.evaluate("location.hash = '#case=%E0%A4%A'")  # no text at all
        page.evaluate("location.hash = '#case=nobody none'")
        expect(page.locator("#case")).to_contain_text("No such case")


def test_a_case_that_is_open_is_led_to_again_and_stays_in_another_light(
    browser: Browser, grid: Path
) -> None:
    with pages.opened(browser, grid, viewport=WIDE, color_scheme="light") as page:
        link = page.locator("#table tbody a").first
        for _ in range(2):
            link.click()
            page.locator("#case-plot .main-svg").first.wait_for()
            expect(page.locator("#case")).to_be_focused()
            link.focus()
        page.evaluate("scrollTo({ top: 0, behavior: 'instant' })")
        page.locator("#theme").click()
        expect(page.locator("#theme")).to_have_text("Light")
        assert page.evaluate("scrollY") < 300  # the case stands far below
        plot = page.evaluate("document.getElementById('case-plot').layout.paper_bgcolor")
        assert plot != "#fff"


def test_another_machine_closes_the_case_and_sorts_by_width_of_intervals(
    browser: Browser, committed: Path
) -> None:
    with pages.opened(browser, committed, viewport=WIDE) as page:
        page.locator("#table tbody a").first.click()
        page.locator("#case").wait_for()
        page.get_by_label("search").fill("forum")
        page.locator("#machine").select_option("1")
        expect(page.locator("#case")).to_be_hidden()
        page.wait_for_timeout(300)  # longer than a search waits
        assert page.get_by_label("search").input_value() == ""
        slug = page.locator("#machine option:checked").inner_text()
        assert slug in str(page.locator("#table tbody a").first.get_attribute("href"))
        page.get_by_role("button", name="95 %").click()
        shown = page.locator("#table tbody td:nth-child(6)").all_inner_texts()
        widths = [_width(text) for text in shown if text]
        assert widths == sorted(widths)
        assert len(widths) > 3


def _width(text: str) -> float:
    sign, number = text.split()[:2]
    return float(number) / 100 if sign == "±" else float(number) - 1


# The plots.


def test_the_crossover_map_holds_each_cells_best_implementation(
    browser: Browser, grid: Path
) -> None:
    with pages.opened(browser, grid, viewport=WIDE) as page:
        show(page, "crossover")
        maps = {one["name"]: one for one in traces(page, "crossover-plot")}
        assert maps["native"]["x"] == ["1", "2", "4"]
        assert maps["native"]["y"] == ["4", "16"]
        assert _filled(maps["native"]["z"]) == [(0, 0), (1, 0), (1, 1)]
        assert _filled(maps["block_diagonal"]["z"]) == [(0, 1)]
        assert maps["block_diagonal"]["z"][0][1] == pytest.approx(2, abs=0.05)  # log2 of 4
        assert maps["block_diagonal"]["text"][0][1].startswith("C 4.0")
        assert _filled(maps["split_concat"]["z"]) == [(0, 2), (1, 2)]
        assert maps["block_diagonal"]["zmax"] == maps["native"]["zmax"]
        page.locator("#crossover-controls").get_by_label("dtype").select_option("bfloat16")
        assert "best in" in str(page.locator("#crossover-plot").get_attribute("aria-label"))
        page.locator("#crossover-table summary").click()
        expect(page.locator("#crossover-table tbody tr")).to_have_count(6)


def _filled(matrix: list[list[float | None]]) -> list[tuple[int, int]]:
    return [
        (i, j) for i, row in enumerate(matrix) for j, value in enumerate(row) if value is not None
    ]


def test_every_timed_case_is_on_the_roofline_and_no_ceiling_is_invented(
    browser: Browser, grid: Path
) -> None:
    with pages.opened(browser, grid, viewport=WIDE) as page:
        show(page, "roofline")
        points = [one for one in traces(page, "roofline-plot") if one["mode"] == "markers"]
        assert sum(len(one["x"]) for one in points) == 12
        native = next(one for one in points if one["name"] == "native")
        wide = Case(in_channels=16, out_channels=16, height=8, width=8, padding=(1, 1))
        assert flops(wide) / min_bytes(wide) in [pytest.approx(x) for x in native["x"]]
        place = [x == pytest.approx(flops(wide) / min_bytes(wide)) for x in native["x"]].index(True)
        assert native["y"][place] == pytest.approx(flops(wide) / 16e-5, rel=0.02)
        line = next(one for one in traces(page, "roofline-plot") if "float32" in one["name"])
        highest = data_of(grid)["machines"][0]["highest"]["float32"]
        assert line["y"][1:] == [highest["flops_per_s"]] * 2
        assert line["y"][0] / line["x"][0] == pytest.approx(highest["bytes_per_s"])
        assert "absent, none was measured" in page.locator("#roofline-caption").inner_text()
        page.locator("#roofline-controls").get_by_label("dtype").select_option("bfloat16")
        points = [one for one in traces(page, "roofline-plot") if one["mode"] == "markers"]
        assert sum(len(one["x"]) for one in points) == 6


def test_measured_ceilings_are_drawn_and_the_caption_says_when_and_by_what(
    browser: Browser, tmp_path: Path
) -> None:
    ceilings = Ceilings(
        created="2025-01-02T03:04:05+00:00", bytes_per_s=2e9, flops_per_s={"float32": 1e10},
        work={"float32": "3x3 convolution"},
    )  # fmt: skip
    path = page_of(tmp_path, lambda results: pages.store_grid(results, ceilings=ceilings))
    with pages.opened(browser, path, viewport=WIDE) as page:
        assert "of floor" in page.locator("#table thead").inner_text()
        show(page, "roofline")
        lines = {
            one["name"]: one for one in traces(page, "roofline-plot") if one["mode"] == "lines"
        }
        assert set(lines) == {"ceiling, float32", "highest seen, bfloat16 (no ceiling)"}
        line = lines["ceiling, float32"]
        assert line["x"][1] == pytest.approx(5.0)
        assert line["y"][1:] == [1e10, 1e10]
        assert line["y"][0] / line["x"][0] == pytest.approx(2e9)
        caption = page.locator("#roofline-caption").inner_text()
        assert "measured 2025-01-02 by gconvbench roofline: 2.00 GB/s by large copies" in caption
        assert "float32 10.0 GFLOP/s by a large 3x3 convolution, ridge at 5 FLOP/byte" in caption
        assert "No ceiling was measured for bfloat16" in caption
        page.locator("#table tbody a").first.click()
        assert "-bound: the least time by the ceilings" in page.locator("#case").inner_text()
        assert "of floor" in page.locator("#case thead").first.inner_text()


def test_errors_stand_over_their_reduction_length_below_the_limit(
    browser: Browser, grid: Path
) -> None:
    with pages.opened(browser, grid, viewport=WIDE) as page:
        show(page, "accuracy")
        found = traces(page, "accuracy-plot")
        limits = next(one for one in found if one["name"] == "limit")
        assert set(limits["y"]) == {4e-7}
        errors = [y for one in found if one["mode"] == "markers" for y in one["y"]]
        assert len(errors) == 18
        assert max(errors) == pytest.approx(1.6e-7)


def test_a_networks_total_is_the_sum_of_count_times_time(browser: Browser, grid: Path) -> None:
    with pages.opened(browser, grid, viewport=WIDE) as page:
        show(page, "networks")
        own, others, _ = traces(page, "networks-plot")
        totals = dict(zip(own["y"], map(sum, zip(own["x"], others["x"], strict=True)), strict=True))
        assert totals["native"] == pytest.approx(2 * (4e-5 + 16e-5), rel=0.02)
        assert totals["best per layer"] == pytest.approx(2 * (1e-5 + 16e-5), rel=0.02)
        assert next(iter(totals)) == "best per layer"


def test_history_shows_intervals_and_marks_a_change_with_commit_and_version(
    browser: Browser, stepped: Path
) -> None:
    with pages.opened(browser, stepped, viewport=WIDE) as page:
        show(page, "history")
        found = {one["name"]: one for one in traces(page, "history-plot")}
        split = found["split_concat hot"]
        assert len(split["y"]) == 40
        above, below = split["error_y"]["array"][30], split["error_y"]["arrayminus"][30]
        # Of an interval on the log scale both ends are as many times the middle.
        assert (split["y"][30] + above) * (split["y"][30] - below) == pytest.approx(
            split["y"][30] ** 2
        )
        assert above > below > 0
        assert split["y"][30] / split["y"][10] == pytest.approx(1.1, abs=0.03)
        notes = page.evaluate("document.getElementById('history-plot').layout.annotations")
        assert [one["text"] for one in notes] == [f"{commit_of(24)[:7]} torch 2.14.0"]
        said = page.locator("#history").inner_text()
        assert "3 series slower by" in said
        assert f"between {commit_of(23)[:7]}..{commit_of(24)[:7]}" in said
        assert "torch 2.13.0 to 2.14.0" in said
        page.locator("#table tbody a").first.click()
        page.locator("#case-history-plot .main-svg").first.wait_for()


def test_skipped_failed_and_labelled_jobs_have_their_reasons(browser: Browser, grid: Path) -> None:
    with pages.opened(browser, grid, viewport=WIDE) as page:
        said = page.locator("#notes").evaluate("one => one.textContent")
        for text in ("sums wrongly", "signal 11", "1x1 kernels only", "drifting: samples went"):
            assert text in said
        facts = page.locator("#environment").evaluate("one => one.textContent")
        for text in ("Test device", "2.13.0", "standard normal", "grid"):
            assert text in facts


# Light, dark, small, without a mouse.


@pytest.mark.parametrize(("viewport", "scheme"), [(WIDE, "light"), (PHONE, "dark")])
def test_all_of_the_committed_runs_fit_the_screen(
    browser: Browser, committed: Path, viewport: dict[str, int], scheme: Any, tmp_path: Path
) -> None:
    with pages.opened(browser, committed, viewport=viewport, color_scheme=scheme) as page:
        machines = page.locator("#machine option").count()
        assert machines == len(data_of(committed)["machines"])
        for number in range(machines):
            page.locator("#machine").select_option(str(number))
            page.locator("#table tbody a").first.click()
            for section in PLOTS:
                show(page, section)
            overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert overflow <= 0
        picture = page.screenshot(path=tmp_path / "page.png", full_page=True)
        assert len(picture) > 100_000


@pytest.fixture(scope="module")
def committed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of all runs in the repository, as `make report` writes it."""
    folder = tmp_path_factory.mktemp("committed")
    outcome = Command(folder)("report", "--results", str(ROOT / "results"))
    assert outcome.code == 0, outcome.err
    return folder / "report.html"


def test_dark_is_chosen_by_the_system_and_by_a_button(browser: Browser, grid: Path) -> None:
    def ground(page: Page) -> str:
        found: str = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return found

    with pages.opened(browser, grid, color_scheme="dark") as page:
        dark = ground(page)
        show(page, "crossover")
        page.locator("#theme").click()
        assert ground(page) != dark
        drawing = page.locator("#crossover-plot .main-svg").first
        expect(drawing).to_have_css("background-color", "rgb(255, 255, 255)")


def test_everything_can_be_reached_without_a_mouse(browser: Browser, grid: Path) -> None:
    with pages.opened(browser, grid, viewport=WIDE) as page:
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        page.get_by_role("button", name="speedup").focus()
        page.keyboard.press("Enter")
        assert page.locator("#table th[aria-sort]").count() == 1
        page.locator("#table tbody a").first.focus()
        page.keyboard.press("Enter")
        page.locator("#case").wait_for()
        show(page, "crossover")
        select = page.locator("#crossover-controls").get_by_label("dtype")
        select.focus()
        page.keyboard.press("ArrowDown")
        assert page.evaluate("document.activeElement.value") == "bfloat16"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_audit_of_accessibility_finds_nothing(browser: Browser, grid: Path, scheme: Any) -> None:
    with pages.opened(browser, grid, viewport=WIDE, color_scheme=scheme) as page:
        page.locator("#table tbody a").first.click()
        for section in PLOTS:
            show(page, section)
        for summary in page.locator("details:visible > summary").all():
            summary.click()
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()


def test_every_control_and_picture_has_a_name(browser: Browser, grid: Path) -> None:
    with pages.opened(browser, grid, viewport=WIDE) as page:
        for section in PLOTS:
            show(page, section)
        unnamed = page.evaluate(
            """() => [...document.querySelectorAll("select, input, button, .plot, meter")]
              .filter((one) => !one.closest(".modebar"))
              .filter((one) => !one.labels?.length && !one.getAttribute("aria-label"))
              .filter((one) => one.tagName !== "BUTTON" || !one.textContent.trim())
              .map((one) => one.outerHTML)"""
        )
        assert unnamed == []
        letters = page.locator("#crossover-caption .key").all_inner_texts()
        assert letters == ["A", "B", "C"]  # an implementation is told by more than its colour
        cells = traces(page, "crossover-plot")[0]["text"]
        assert all(text.startswith("A ") for row in cells for text in row if text)


# What must not happen.


def test_hostile_values_come_out_as_text(browser: Browser, tmp_path: Path) -> None:
    with pages.opened(browser, page_of(tmp_path, pages.store_hostile), viewport=WIDE) as page:
        page.locator("#table tbody a").first.click()
        page.locator("#case-plot .main-svg").first.wait_for()
        for section in PLOTS:
            show(page, section)
            details = page.locator(f"#{section}-table summary")
            if details.is_visible():
                details.click()
        assert page.evaluate("window.pwned") is None
        assert page.locator("script").count() == 3
        foreign = "a[href^='https:'], a[href^='javascript:'], svg a, main img"
        assert page.locator(foreign).count() == 0
        text = page.evaluate("document.body.textContent")
        for value in pages.HOSTILE:
            assert value in text or value.replace("\u202e", "�") in text, value
        ticks = page.locator("#case-plot .ytick").all_text_contents()
        assert any("<img src=x onerror='window.pwned = 1'>" in one for one in ticks)


def test_the_policy_forbids_scripts_of_others_and_every_connection(
    browser: Browser, grid: Path
) -> None:
    with pages.listening() as (address, heard), browser.new_context() as context:
        page = context.new_page()
        refused: list[str] = []
        page.on("console", lambda message: refused.append(message.text))
        page.goto(grid.as_uri())
        page.evaluate(
            """async (address) => {
              const script = document.createElement("script");
              script.textContent = "window.pwned = 1";
              document.body.append(script);
              document.body.insertAdjacentHTML("beforeend",
                `<img src="${address}x.png" onerror="window.pwned = 1">`);
              await fetch(address, { mode: "no-cors" }).catch(() => {});
              await new Promise((done) => setTimeout(done, 200));
            }""",
            address,
        )
        assert page.evaluate("window.pwned") is None
        assert sum("Content Security Policy" in text for text in refused) >= 3
        assert heard == []
        page.goto(address)  # it would have been heard
        assert heard[0] == "/"


# The command.


def test_the_report_needs_no_torch(gconvbench: Command) -> None:
    pages.store_grid(gconvbench.results)
    blocker = without_torch(gconvbench)
    for name in ("numpy", "pandas"):
        (gconvbench.folder / "no_torch" / f"{name}.py").unlink()
    for arguments in (("-o", "page.html"), ("--format", "markdown")):
        outcome = gconvbench("report", *arguments, **blocker)
        assert outcome.code == 0, outcome.err


def test_runs_can_be_named_and_the_page_printed(gconvbench: Command) -> None:
    pages.store_grid(gconvbench.results)
    outcome = gconvbench("report", "latest", "-o", "-")
    assert outcome.out.startswith("<!doctype html>")
    assert not (gconvbench.folder / "report.html").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), 2, "no stored runs under 'results/runs'; `gconvbench run` makes one"),
        (("--format", "pdf"), 2, "pdf"),
    ],
)
def test_wrong_use_is_one_line(
    gconvbench: Command, arguments: tuple[str, ...], code: int, words: str
) -> None:
    outcome = gconvbench("report", *arguments)
    assert outcome.code == code
    assert words in outcome.err
    assert len(outcome.err.splitlines()) == 1


def test_a_file_that_cannot_be_written_is_said(gconvbench: Command) -> None:
    pages.store_grid(gconvbench.results)
    outcome = gconvbench("report", "-o", "nowhere/page.html")
    assert outcome.code == 5
    assert outcome.err.startswith("gconvbench: report 'nowhere/page.html' cannot be written: ")


def test_markdown_has_answer_cases_and_what_went_wrong(gconvbench: Command) -> None:
    pages.store_grid(gconvbench.results)
    outcome = gconvbench("report", "--format", "markdown")
    assert outcome.code == 0, outcome.err
    assert outcome.out.startswith("### Test device, 1 thread, torch 2.13.0 (`box-cpu`)")
    assert "In 6 of 12 cases another implementation is clearly faster" in outcome.out
    assert outcome.out.count("\n| conv") + outcome.out.count("\n| net") == 12
    assert "1 job wrong: sums wrongly" in outcome.out
