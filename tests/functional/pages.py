"""Pages in a real browser, and stored runs to make them of."""

from __future__ import annotations

import contextlib
import http.server
import itertools
import random
import shutil
import threading
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from gconvbench.cases import Case, case_id
from gconvbench.records import Dispatch, Environment, Plan, PlannedCase, Timing
from tests.fakes import make_accuracy, make_header, make_record, store_run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from gconvbench.records import Ceilings, Record, Scalar

__all__ = [
    "HOSTILE",
    "listening",
    "opened",
    "require_browser",
    "started",
    "store_grid",
    "store_hostile",
]

_EXECUTABLES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_OPTIONS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]

HOSTILE = (
    "<script>window.pwned = 1</script>",
    "</script><script>window.pwned = 1</script>",
    "<img src=x onerror='window.pwned = 1'>",
    '"><svg onload="window.pwned = 1">',
    "<a href='https://evil.invalid/' style='position:fixed'>click</a>",
    "<!-- ",
    "%{customdata} {{ 7 * 7 }} ${window.pwned = 1}",
    "__proto__",
    "javascript:window.pwned=1",
    "a\u2028b\u202ec",
)
"""What could come out of a file that somebody sends, and must come out as text."""


def require_browser() -> str:
    """The path of an installed browser; the test is skipped where there is none."""
    for name in _EXECUTABLES:
        if found := shutil.which(name):
            return found
    pytest.skip(f"none of {', '.join(_EXECUTABLES)} is installed; apt-get install chromium")


@contextlib.contextmanager
def started() -> Iterator[Browser]:
    """The browser."""
    executable = require_browser()
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 (only where it is used)

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=_OPTIONS)
        yield browser
        browser.close()


@contextlib.contextmanager
def opened(browser: Browser, path: Path, **options: Any) -> Iterator[Page]:
    """A page; the console must stay silent, and nothing but the file may be asked for."""
    said: list[str] = []
    with browser.new_context(**options) as context:
        page = context.new_page()
        page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: said.append(f"error: {error}"))
        page.on("request", lambda request: said.append(request.url))
        page.goto(path.as_uri())
        yield page
    others = [line for line in said if line != path.as_uri() and not line.startswith("data:")]
    assert others == []


@contextlib.contextmanager
def listening() -> Iterator[tuple[str, list[str]]]:
    """The address of a server, and the paths that it is asked for."""
    heard: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/", heard
        server.shutdown()


def store_grid(results: Path, *, rounds: int = 3, ceilings: Ceilings | None = None) -> Path:
    """A sweep of groups and channels per group in which each implementation wins somewhere.

    `native` wins with few groups, `split_concat` with 4, `block_diagonal` with narrow groups; one
    job is wrong, one crashed, one cannot be computed, and the layers of a network are among them.
    """
    cases: list[PlannedCase] = []
    records: list[Record] = []
    noise = random.Random(0)  # noqa: S311 (of times)
    for dtype, groups, width in itertools.product(("float32", "bfloat16"), (1, 2, 4), (4, 16)):
        case = Case(
            groups=groups, in_channels=groups * width, out_channels=groups * width, height=8,
            width=8, padding=(1, 1), dtype=dtype,
        )  # fmt: skip
        name = f"net/layer{width}" if groups == 2 and dtype == "float32" else ""
        cases.append(PlannedCase(case_id(case), name, count=2 if name else 1))
        for implementation, number in itertools.product(_factors(groups, width), _counted(rounds)):
            time_s = 1e-5 * width * _factors(groups, width)[implementation]
            records.append(_measured(case, implementation, number, time_s, noise))
    first = cases[0].case
    records.append(make_record("wrong_one", case=first, outcome="wrong", detail="sums wrongly"))
    records.append(make_record("dying", case=first, outcome="crashed", detail="signal 11"))
    records.append(
        make_record("narrow", case=first, outcome="unsupported", detail="1x1 kernels only")
    )
    names = ("native", "split_concat", "block_diagonal", "wrong_one", "dying", "narrow")
    plan = Plan(cases=tuple(cases), implementations=names, rounds=rounds, sweeps=("grid",))
    environment = Environment(
        identity={"device_name": "Test device"}, under_test={"torch": "2.13.0"}, soft={}
    )
    return store_run(results, records, plan=plan, environment=environment, ceilings=ceilings)


def _counted(rounds: int) -> range:
    return range(1, rounds + 1)


def _factors(groups: int, width: int) -> dict[str, float]:
    """Times of the implementations, relative."""
    return {
        "native": 1.0,
        "split_concat": 0.5 if groups == 4 else 2.0,
        "block_diagonal": 0.25 if groups == 2 and width == 4 else 3.0,
    }


def _measured(
    case: Case, implementation: str, number: int, time_s: float, noise: random.Random
) -> Record:
    samples_s = tuple(time_s * noise.lognormvariate(0, 0.01) for _ in range(20))
    timing = Timing(
        cache_mode="hot",
        samples_s=samples_s,
        launches_per_sample=10,
        target_reached=True,
        labels=("drifting",) if implementation == "native" and case.groups == 1 else (),
    )
    return replace(
        make_record(implementation, case=case, number=number),
        timings=(timing,),
        accuracy=make_accuracy(1e-8 * case.group_in_channels),
        dispatch=Dispatch(operators=("aten::convolution",), kernels=("onednn::convolution(jit)",)),
    )


def store_hostile(results: Path) -> Path:
    """A run in which every text that a file can carry is hostile."""
    case = Case(groups=2, in_channels=4, out_channels=4, height=5, width=5)
    names = [f"{text} {number}" for number, text in enumerate(HOSTILE)]
    records = [
        replace(
            make_record(name, case=case, number=number, time_s=1e-3 + 1e-5 * place),
            accuracy=replace(make_accuracy(), flow=HOSTILE[place]),
            dispatch=Dispatch(operators=(HOSTILE[place],), kernels=(name,)),
        )
        for (place, name), number in itertools.product(enumerate(["native", *names[1:]]), (1, 2))
    ]
    records = [
        replace(one, timings=tuple(replace(t, labels=(*HOSTILE,)) for t in one.timings))
        for one in records
    ]
    records += [
        make_record(f"bad {text}", case=case, outcome=outcome, detail=text)
        for text in HOSTILE
        for outcome in ("wrong", "unsupported")
    ]
    facts: dict[str, Scalar] = dict(zip(HOSTILE, HOSTILE, strict=True))
    header = make_header()
    plan = Plan(
        cases=(PlannedCase(case_id(case), f"{HOSTILE[0]}/{HOSTILE[1]}"),),
        implementations=("native", *names),
        rounds=2,
        sweeps=HOSTILE,
    )
    environment = Environment(
        identity={"device_name": HOSTILE[1], **facts},
        under_test={"torch": HOSTILE[2], "commit": HOSTILE[3], **facts},
        soft=facts,
        unknown=dict(zip(HOSTILE, HOSTILE, strict=True)),
    )
    run = store_run(results, records, plan=plan, environment=environment)
    text = run.read_text("utf-8")
    # The folder's name comes from the machine's, which may not have a slash; the header's may.
    hostile = replace(header, machine=HOSTILE[1], run=HOSTILE[2], created=HOSTILE[4])
    for old, new in (
        (header.machine, hostile.machine),
        (header.created, hostile.created),
    ):
        text = text.replace(f'"{old}"', '"' + new.replace('"', '\\"') + '"', 1)
    run.write_text(text, "utf-8")
    return run
