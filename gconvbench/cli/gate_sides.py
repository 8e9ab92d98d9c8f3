"""What `gconvbench gate` compares with what: the two sides, and what each is asked to do."""

from __future__ import annotations

import dataclasses
import fnmatch
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from gconvbench.acceptance import ACCEPTED_FILE, read_acceptances
from gconvbench.cases import case_id
from gconvbench.cli.gate_earlier import Earlier
from gconvbench.errors import UsageError
from gconvbench.planning import ALL, DEFAULT, chosen_implementations, split_words
from gconvbench.records import Job
from gconvbench.runner.checkout import (
    Baseline,
    checkout,
    default_baseline,
    file_at,
    has_new_code,
    is_dirty,
    resolve,
    top_of,
)
from gconvbench.runner.question import QuestionSide
from gconvbench.runner.side import CODE_PATHS, Side
from gconvbench.switches import SWITCHES, VARIABLE, parse_switch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from gconvbench.acceptance import Acceptance
    from gconvbench.cli.selection import Selection
    from gconvbench.gate_options import GateOptions
    from gconvbench.protocol import Description, Ready
    from gconvbench.records import Method

__all__ = [
    "Chosen",
    "SideOptions",
    "Sides",
    "accepted_before",
    "open_sides",
    "this_side_alone",
]


class SideOptions(NamedTuple):
    """The command line's words about the sides; at most one kind of them.

    Attributes:
        pythons: interpreters, (baseline, contender).
        settings: `NAME=VALUE` texts, likewise.
        implementations: names, likewise.
        config: the file of options that was given, if one was.
    """

    pythons: tuple[str | None, str | None] = (None, None)
    settings: tuple[Sequence[str], Sequence[str]] = ((), ())
    implementations: tuple[str | None, str | None] = (None, None)
    config: Path | None = None

    @property
    def kinds(self) -> list[str]:
        """Which of them were given."""
        given = {
            "python": any(self.pythons),
            "set": any(self.settings),
            "implementation": any(self.implementations),
        }
        return [name for name, is_given in given.items() if is_given]


class Chosen(NamedTuple):
    """What is measured, and how."""

    selection: Selection
    implementation: str
    method: Method


class Sides(NamedTuple):
    """Two sides, ready to be asked.

    Attributes:
        baseline: the older one.
        contender: the newer one.
        is_about_code: whether they are checkouts.
        is_about_interpreters: whether torch may differ.
        implementations: which are compared, where it is these.
        declared: fields of the identity in which they are meant to differ.
        repository: of checkouts.
        baseline_commit: likewise.
        note: why this baseline, for people.
        earlier_acceptances: where the baseline's configuration has its accepted changes.
        problems: what of the baseline's configuration cannot be read any more.
    """

    baseline: QuestionSide
    contender: QuestionSide
    is_about_code: bool = False
    is_about_interpreters: bool = False
    implementations: tuple[str, str] | None = None
    declared: frozenset[str] = frozenset()
    repository: Path | None = None
    baseline_commit: str = ""
    note: str = ""
    earlier_acceptances: str = ACCEPTED_FILE
    problems: tuple[str, ...] = ()


@contextmanager
def open_sides(
    options: GateOptions,
    sides: SideOptions,
    chosen: Chosen,
    *,
    commit: str | None = None,
) -> Iterator[Sides]:
    """The sides for the block, with a checkout of the baseline where it is a commit.

    Args:
        options: of the command line and the configuration.
        sides: what the command line says of them.
        chosen: what is measured.
        commit: the baseline's, where it is known already.

    Raises:
        UsageError: contradicting options, or no such commit.
        NotMeasuredError: no baseline, or one that cannot be checked out or built.
    """
    if len(sides.kinds) > 1 or (sides.kinds and options.baseline and commit is None):
        kinds = [f"--baseline-{kind}" for kind in sides.kinds]
        kinds += ["--baseline"] if options.baseline else []
        message = f"{' and '.join(kinds[:2])} exclude each other; a gate is about one difference"
        raise UsageError(message)
    makers: dict[str, Callable[[SideOptions, Chosen], Sides]] = {
        "python": _interpreters,
        "set": _settings,
        "implementation": _implementations,
    }
    if sides.kinds:
        found = makers[sides.kinds[0]](sides, chosen)
        _refuse_one_side_twice(found)
        yield found
        return
    with _commits(options, chosen, commit, sides.config) as found:
        yield found


def _refuse_one_side_twice(sides: Sides) -> None:
    one, other = sides.baseline, sides.contender
    if sides.implementations:
        is_same = len(set(sides.implementations)) == 1
    else:
        without_words = [dataclasses.replace(each.side, what="") for each in (one, other)]
        is_same = without_words[0] == without_words[1] and one.method == other.method
    if is_same:
        message = f"both sides are {one.side.what or one.side.python!r}; say in what they differ"
        raise UsageError(message)


def this_side_alone(chosen: Chosen) -> Sides:
    """What is here and nothing beside it, where the baseline is a stored run alone."""
    side = _asked(Side(what="this working tree"), chosen)
    return Sides(side, side)


def accepted_before(sides: Sides, name: str) -> tuple[Acceptance, ...]:
    """What the baseline's version of the file has.

    Raises:
        UsageError: the file lies outside the repository, or that version of it cannot be read.
    """
    path = Path(name).resolve()
    if sides.repository is None or not path.is_file():
        return ()
    top = sides.repository.resolve()
    if not path.is_relative_to(top):
        message = (
            f"file of accepted changes {name!r} lies outside the repository, so that what the "
            "baseline had accepted is not known; move it there"
        )
        raise UsageError(message)
    found: list[Acceptance] = []
    for one in dict.fromkeys((path, Path(sides.earlier_acceptances).resolve())):
        if one.is_relative_to(top):
            text = file_at(top, sides.baseline_commit, one.relative_to(top).as_posix())
            found += read_acceptances(text, f"{one.name} of the baseline") if text else ()
    return tuple(found)


@contextmanager
def _commits(
    options: GateOptions, chosen: Chosen, commit: str | None, config: Path | None
) -> Iterator[Sides]:
    repository = top_of(Path.cwd())
    if commit is not None:
        baseline = Baseline(resolve(repository, commit), "the commit of the stored run")
    elif options.baseline:
        baseline = Baseline(resolve(repository, options.baseline), f"given as {options.baseline}")
    else:
        baseline = default_baseline(repository)
    code_paths = options.code_paths or CODE_PATHS
    head, is_changed = resolve(repository, "HEAD"), is_dirty(repository)
    is_same = baseline.commit == head and not (is_changed or options.build)
    if is_same and commit is None and not has_new_code(repository):
        message = f"both sides are commit {head[:10]}; name an earlier one with --baseline"
        raise UsageError(message)
    state = "working tree at" if is_changed else "commit"
    contender = Side(what=f"{state} {head[:10]}", code=repository, code_paths=code_paths)
    with checkout(repository, baseline.commit, build=options.build) as tree:
        older = Side(what=f"commit {baseline.commit[:10]}", code=tree, code_paths=code_paths)
        earlier = Earlier(options, config, repository, tree)
        selection = earlier.selection(chosen.selection)
        yield Sides(
            _asked(older, chosen._replace(implementation=earlier.names), selection),
            _asked(contender, chosen),
            is_about_code=True,
            repository=repository,
            baseline_commit=baseline.commit,
            note=f"baseline is commit {baseline.commit[:10]}, {baseline.why}",
            earlier_acceptances=earlier.own.acceptances,
            problems=tuple(earlier.problems),
        )


def _interpreters(sides: SideOptions, chosen: Chosen) -> Sides:
    baseline, contender = (Side(what="", python=_interpreter(one)) for one in sides.pythons)
    return Sides(_asked(baseline, chosen), _asked(contender, chosen), is_about_interpreters=True)


def _interpreter(python: str | None) -> str:
    """Absolute, but with its links: an environment is known by the path it is started by."""
    if python is None:
        return sys.executable
    return os.path.abspath(python) if os.sep in python else python  # noqa: PTH100


def _settings(sides: SideOptions, chosen: Chosen) -> Sides:
    declared = [dict(parse_switch(text) for text in texts) for texts in sides.settings]
    asked = []
    for texts, values in zip(sides.settings, declared, strict=True):
        threads = values.pop("threads", None)
        method = chosen.method
        if threads is not None:
            method = msgspec.structs.replace(method, threads=int(threads))
        side = Side(
            what=" ".join(text.replace(" ", "") for text in texts) or "as it is",
            switches={name: value for name, value in values.items() if name in SWITCHES},  # type: ignore[misc]
            variables={
                name: str(text) for name, text in values.items() if VARIABLE.fullmatch(name)
            },
        )
        asked.append(_asked(side, chosen._replace(method=method)))
    names = {text.partition("=")[0].strip() for texts in sides.settings for text in texts}
    names |= {"cpu_capability"} if "ATEN_CPU_CAPABILITY" in names else set()  # what it sets
    return Sides(asked[0], asked[1], declared=frozenset(names))


def _implementations(sides: SideOptions, chosen: Chosen) -> Sides:
    if None in sides.implementations:
        message = "--baseline-implementation and --contender-implementation belong together"
        raise UsageError(message)
    names = (str(sides.implementations[0]), str(sides.implementations[1]))
    asked = [_asked(Side(what=name), chosen._replace(implementation=name)) for name in names]
    return Sides(asked[0], asked[1], implementations=names)


def _asked(side: Side, chosen: Chosen, selection: Selection | None = None) -> QuestionSide:
    cases = [
        (case_id(one.case), one.name) for one in (selection or chosen.selection).expansion.cases
    ]

    def jobs_of(ready: Ready) -> tuple[Job, ...]:
        names = _names(chosen.implementation, ready.implementations)
        return tuple(Job(case, name) for case, _ in cases for name in names)

    return QuestionSide(
        side, chosen.method, jobs_of, dict(cases), split_words(chosen.implementation)
    )


def _names(text: str, known: Sequence[Description]) -> tuple[str, ...]:
    """What this side has of what is asked for; what the other side alone has is new or missing."""
    words = split_words(text)
    usable = [one.name for one in known if not one.problem]
    there = [word for word in words if word in {DEFAULT, ALL} or fnmatch.filter(usable, word)]
    return chosen_implementations(",".join(there), known) if there else ()
