"""What `gconvbench gate` compares with what: the two sides, and what each is asked to do."""

from __future__ import annotations

import fnmatch
import os
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from gconvbench.acceptance import read_acceptances
from gconvbench.cases import case_id
from gconvbench.cli.selection import select, together
from gconvbench.errors import UsageError
from gconvbench.gate_options import CASES_FROM, GateOptions, read_gate_options
from gconvbench.planning import ALL, DEFAULT, chosen_implementations, split_words
from gconvbench.records import Job
from gconvbench.runner.checkout import (
    Baseline,
    checkout,
    default_baseline,
    file_at,
    is_dirty,
    resolve,
    top_of,
)
from gconvbench.runner.question import QuestionSide
from gconvbench.runner.side import CODE_PATHS, Side
from gconvbench.switches import parse_switch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from gconvbench.acceptance import Acceptance
    from gconvbench.cli.selection import Selection
    from gconvbench.protocol import Description, Ready
    from gconvbench.records import Method

__all__ = [
    "Chosen",
    "SideOptions",
    "Sides",
    "accepted_before",
    "open_sides",
    "select_for",
    "this_side_alone",
]


class SideOptions(NamedTuple):
    """The command line's words about the sides; at most one kind of them.

    Attributes:
        pythons: interpreters, (baseline, contender).
        settings: `NAME=VALUE` texts, likewise.
        implementations: names, likewise.
    """

    pythons: tuple[str | None, str | None] = (None, None)
    settings: tuple[Sequence[str], Sequence[str]] = ((), ())
    implementations: tuple[str | None, str | None] = (None, None)

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


@contextmanager
def open_sides(
    options: GateOptions, sides: SideOptions, chosen: Chosen, *, commit: str | None = None
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
        yield makers[sides.kinds[0]](sides, chosen)
        return
    with _commits(options, chosen, commit) as found:
        yield found


def select_for(options: GateOptions) -> Selection:
    """The cases that are asked for.

    Raises:
        UsageError: as `select`.
    """
    return select(
        ids=options.case,
        files=[Path(name) for name in options.cases],
        sweeps=options.sweep,
        axes=options.axes,
        device=options.device,
    )


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
    text = file_at(top, sides.baseline_commit, path.relative_to(top).as_posix())
    return read_acceptances(text, f"{name} of the baseline") if text else ()


@contextmanager
def _commits(options: GateOptions, chosen: Chosen, commit: str | None) -> Iterator[Sides]:
    repository = top_of(Path.cwd())
    if commit is not None:
        baseline = Baseline(resolve(repository, commit), "the commit of the stored run")
    elif options.baseline:
        baseline = Baseline(resolve(repository, options.baseline), f"given as {options.baseline}")
    else:
        baseline = default_baseline(repository)
    code_paths = options.code_paths or CODE_PATHS
    head = resolve(repository, "HEAD")
    state = "working tree at" if is_dirty(repository) else "commit"
    contender = Side(what=f"{state} {head[:10]}", code=repository, code_paths=code_paths)
    with checkout(repository, baseline.commit, build=options.build) as tree:
        older = Side(what=f"commit {baseline.commit[:10]}", code=tree, code_paths=code_paths)
        own = _of_baseline(options, repository, tree)
        yield Sides(
            _asked(
                older,
                chosen._replace(implementation=_names_there(options, own)),
                _selection_there(options, own, chosen, repository, tree),
            ),
            _asked(contender, chosen),
            is_about_code=True,
            repository=repository,
            baseline_commit=baseline.commit,
            note=f"baseline is commit {baseline.commit[:10]}, {baseline.why}",
        )


def _of_baseline(options: GateOptions, repository: Path, tree: Path) -> GateOptions:
    """What the baseline's own `pyproject.toml` asks for beside what is asked for here.

    Else a case or an implementation would be dropped together with its line, and nobody be told.
    What the command line asks for is all that is meant.
    """
    usual = GateOptions()
    try:
        here, there = (read_gate_options(None, folder) for folder in (repository, tree))
    except UsageError:  # the configuration of another time
        return usual
    keys: list[str] = []
    for group in (CASES_FROM, ("implementation",)):
        if all(getattr(options, key) == getattr(here, key) for key in group):
            keys += group
    return msgspec.structs.replace(usual, **{key: getattr(there, key) for key in keys})


def _names_there(options: GateOptions, own: GateOptions) -> str:
    if own.implementation == GateOptions().implementation:
        return options.implementation
    words = (*split_words(options.implementation), *split_words(own.implementation))
    return ",".join(dict.fromkeys(words))


def _selection_there(
    options: GateOptions, own: GateOptions, chosen: Chosen, repository: Path, tree: Path
) -> Selection:
    """The cases as the baseline has them: its own sweep files and lists of cases, where it does."""
    found = [_read_there(options, repository, tree) or chosen.selection]
    if any(getattr(own, key) for key in CASES_FROM):
        own = msgspec.structs.replace(own, device=options.device)
        with suppress(UsageError):  # what was possible at another time
            found.append(_read_there(own, repository, tree) or select_for(own))
    return together(found)


def _read_there(options: GateOptions, repository: Path, tree: Path) -> Selection | None:
    """What is chosen where files are read in the checkout; None where none of them is there."""
    sweeps = [_there(name, repository, tree) or _own_sweep(name, tree) for name in options.sweep]
    files = [_there(name, repository, tree) for name in options.cases]
    if not any(sweeps) and not any(files):
        return None
    names = [there or name for there, name in zip(sweeps, options.sweep, strict=True)]
    lists = [there or name for there, name in zip(files, options.cases, strict=True)]
    return select_for(msgspec.structs.replace(options, sweep=names, cases=lists))


def _there(name: str, repository: Path, tree: Path) -> str | None:
    """A file of the repository as the checkout has it; None for anything else."""
    path = Path(name).resolve()
    if not path.is_relative_to(repository.resolve()):
        return None
    found = tree / path.relative_to(repository.resolve())
    return str(found) if found.is_file() else None


def _own_sweep(name: str, tree: Path) -> str | None:
    """A shipped sweep as another commit of gconvbench ships it."""
    found = tree / "gconvbench" / "workloads" / f"{name}.toml"
    return str(found) if found.is_file() else None


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
            switches={name: on for name, on in values.items() if isinstance(on, bool)},
            variables={name: text for name, text in values.items() if isinstance(text, str)},
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
