"""Whatever stands in ids, names and reasons: the forms keep their limits and their syntax."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from hypothesis import given, settings
from hypothesis import strategies as st

from gconvbench.records import FAILABLE, FINDING_KINDS, JOB_KINDS, Finding
from gconvbench.report.comparison import to_junit, to_markdown, workflow_commands
from gconvbench.report.comparison.facts import HEADS
from gconvbench.report.markdown import MOST_CHARACTERS
from tests.comparisons import make_change, make_comparison, make_verdict

if TYPE_CHECKING:
    from gconvbench.records import Comparison

PIECES = ("|", "`", "```", "<b>", "</details>", "&", "]]>", "\x00", "\x1b[0m", "\r\n", "\ufffe",
          "\ud800", "::", "%", ",", "@a", "\\", "-", "'", '"', "$(x)", "g2", " ", "e")  # fmt: skip
HOSTILE = st.one_of(
    st.text(max_size=20),
    st.lists(st.sampled_from(PIECES), max_size=12).map("".join),
    st.tuples(st.sampled_from(PIECES), st.integers(1, 2000)).map(lambda pair: pair[0] * pair[1]),
)
RATIOS = st.one_of(st.none(), st.floats(1e-6, 1e6), st.just(float("nan")), st.just(float("inf")))


@st.composite
def verdicts(draw: st.DrawFn) -> object:
    ratio = draw(RATIOS)
    return make_verdict(
        draw(st.sampled_from(sorted(JOB_KINDS))),
        case=draw(HOSTILE),
        implementation=draw(HOSTILE),
        baseline_implementation=draw(HOSTILE),
        detail=draw(HOSTILE),
        change=None if ratio is None else make_change(ratio),
        notes=tuple(
            Finding(kind, draw(HOSTILE))
            for kind in draw(st.lists(st.sampled_from(sorted(set(FAILABLE) - {"new"})), max_size=3))
        ),
    )


@st.composite
def comparisons(draw: st.DrawFn) -> Comparison:
    """A few hostile jobs, many times."""
    jobs = draw(st.lists(verdicts(), max_size=4)) * draw(st.sampled_from((1, 10, 200)))
    findings = st.builds(Finding, st.sampled_from(sorted(FINDING_KINDS)), HOSTILE)
    return make_comparison(
        jobs,  # type: ignore[arg-type]
        findings=tuple(draw(st.lists(findings, max_size=3)) * draw(st.sampled_from((1, 30)))),
        selection=tuple(draw(st.lists(HOSTILE, max_size=4))),
        fail_on=tuple(draw(st.lists(st.sampled_from(sorted(FAILABLE)), max_size=2))),
    )


@settings(max_examples=40, deadline=None, derandomize=True)
@given(comparisons())
def test_every_form_survives_hostile_text(found: Comparison) -> None:
    markdown = to_markdown(found)
    assert len(markdown) <= MOST_CHARACTERS
    prose = markdown.partition("\n```")[0]
    assert prose.count("<details>") == prose.count("</details>") <= 1
    for line in prose.splitlines():
        assert not line.startswith("|") or line.count("|") == len(HEADS) + 2
    root = ET.fromstring(to_junit(found).encode())  # noqa: S314 (our own text)
    assert len(root.findall(".//testcase")) == len(found.jobs) + len(found.findings) + 1
    failing = root.findall(".//failure") + root.findall(".//error")
    assert bool(failing) == bool(found.exit_code)
    lines = workflow_commands(found)
    assert len(lines) <= 10
    assert all(len(line.splitlines()) == 1 for line in lines)
    markdown.encode()
