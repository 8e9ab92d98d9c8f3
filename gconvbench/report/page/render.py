"""The file: template, style, data and scripts in one, with a policy that forbids everything else.

Values of result files are untrusted. The template escapes all of them; the data are JSON without a
single `<`; the page's script makes text of them, never markup; and of scripts only those run whose
hashes the policy names, so that one that came in through a value would not.
"""

from __future__ import annotations

import base64
import hashlib
from importlib import resources
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from gconvbench.report.comparison.words import counted
from gconvbench.report.headline import headline, machine_title, network_answers
from gconvbench.report.notes import facts_of, notes_of
from gconvbench.report.page.case_model import FIELDS
from gconvbench.report.page.machine import implementations_of, page_machine
from gconvbench.report.page.model import PageData
from gconvbench.report.table import (
    answer_lines,
    answer_title,
    run_line,
    state_lines,
    time_ratio_text,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gconvbench.history import Judged
    from gconvbench.report.gather import Gathered, Machine

__all__ = ["to_page"]

_SCRIPTS = (
    "elements.js",
    "looks.js",
    "table.js",
    "case.js",
    "plots.js",
    "crossover.js",
    "roofline.js",
    "accuracy.js",
    "networks.js",
    "history.js",
    "page.js",
)
_POLICY = {
    "default-src": "'none'",
    "style-src": "'unsafe-inline'",  # the plotting library styles its own elements
    "img-src": "data:",
    "base-uri": "'none'",
    "form-action": "'none'",
}
"""Content Security Policy Level 3; what is not named is forbidden, connections among it."""


def to_page(
    gathered: Gathered, judged: Mapping[str, Judged | None], *, created: str, version: str
) -> str:
    """The whole page.

    Args:
        gathered: runs, machines and cases.
        judged: the history of each machine by its slug; None where no run has times.
        created: when, in UTC.
        version: of gconvbench.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 (only here)
    from markupsafe import Markup  # noqa: PLC0415
    from plotly.offline import get_plotlyjs  # noqa: PLC0415

    names = implementations_of(gathered.machines)
    machines = tuple(page_machine(one, judged[one.slug], names) for one in gathered.machines)
    data = PageData(machines, FIELDS)
    library, script = get_plotlyjs(), _script()
    policy = _POLICY | {"script-src": f"{_hash(library)} {_hash(script)}"}
    environment = Environment(
        loader=PackageLoader("gconvbench.report.page", "web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    # What is marked here is ours, the library's, or JSON without a `<`.
    return environment.get_template("page.html.jinja").render(
        policy=Markup("; ".join(f"{name} {value}" for name, value in policy.items())),  # noqa: S704
        css=Markup(_file("page.css")),  # noqa: S704
        data=Markup(_json(data)),  # noqa: S704
        library=Markup(library),  # noqa: S704
        script=Markup(script),  # noqa: S704
        machines=[_static(machine) for machine in gathered.machines],
        runs=gathered.runs,
        left_out=gathered.left_out,
        created=created,
        version=version,
        counted=counted,
        case_link=case_link,
    )


def case_link(slug: str, case: str) -> str:
    """Where the page's script shows a case."""
    return f"#case={quote(f'{slug} {case}', safe='')}"


def _static(machine: Machine) -> dict[str, object]:
    """What the template shows of a machine without any script."""
    notes, more = notes_of(machine)
    answers = [
        {"title": answer_title(answer), "ratio": time_ratio_text(answer), "lines": lines}
        for answer in network_answers(machine)
        if (lines := answer_lines(answer))
    ]
    return {
        "slug": machine.slug,
        "title": machine_title(machine),
        "headline": headline(machine),
        "answers": answers,
        "state": [f"{run.header.run}: {line}" for run in machine.runs for line in state_lines(run)],
        "benchmarks": machine.benchmarks,
        "elsewhere": machine.elsewhere,
        "notes": notes,
        "more": more,
        "runs": [
            {
                "name": run.header.run,
                "line": run_line(run),
                "facts": facts_of(run),
            }
            for run in reversed(machine.runs)
        ],
    }


def _json(data: PageData) -> str:
    return msgspec.json.encode(data).decode().replace("<", "\\u003c")


def _script() -> str:
    """All of our scripts in one function, so that they share names and the page has none."""
    parts = "\n".join(_file(name) for name in _SCRIPTS)
    return f'"use strict";\n(() => {{\n{parts}}})();\n'


def _file(name: str) -> str:
    return resources.files("gconvbench.report.page").joinpath("web", name).read_text("utf-8")


def _hash(script: str) -> str:
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
