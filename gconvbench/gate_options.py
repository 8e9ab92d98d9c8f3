"""What a repository says of its gate: `[tool.gconvbench.gate]` in `pyproject.toml`, or a file.

[tool.gconvbench.gate]
baseline = "main"
sweep = ["forum"]
minimum_effect = 0.02
fail_on = ["accuracy"]

[tool.gconvbench.gate.minimum_effects]
"*:training*" = 0.05             # glob over `case id` and `case id implementation`
"g32* native" = 0.01             # the last glob that matches decides
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta

from gconvbench.errors import UsageError, refused_name
from gconvbench.records import FAILABLE
from gconvbench.toml_tables import decode_toml, read_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "CASES_FROM",
    "OUTPUT_FOLDER",
    "PYPROJECT",
    "GateOptions",
    "read_earlier_options",
    "read_gate_options",
]

OUTPUT_FOLDER = Path("gconvbench-gate")
"""Where a gate leaves its files unless told otherwise, and `accept` looks for the last one."""

PYPROJECT = "pyproject.toml"
CASES_FROM = ("sweep", "cases", "case", "axes")
"""Keys that choose cases."""

_Text = Annotated[str | None, Meta(description="text in quotes")]
_Texts = Annotated[tuple[str, ...], Meta(description="a list of texts, such as ['a', 'b']")]
_Pairs = Annotated[int, Meta(ge=2, le=1000, description="a whole number from 2 to 1000")]
_Share = Annotated[float, Meta(gt=0, lt=1, description="a share between 0 and 1, such as 0.02")]
_Shares = Annotated[
    dict[str, Annotated[float, Meta(gt=0, lt=1)]],
    Meta(description="a table of globs and shares between 0 and 1, such as '*:training' = 0.05"),
]
_Threads = Annotated[int, Meta(ge=1, le=1024, description="a whole number from 1 to 1024")]
_Seed = Annotated[int, Meta(ge=0, description="a whole number from 0")]
_Seconds = Annotated[float, Meta(ge=0.1, description="seconds from 0.1")]


class GateOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How to gate; each key means what the command line's option of that name means.

    Paths are relative to the folder in which the command runs.

    Attributes:
        baseline: a commit, branch or tag to compare with.
        build: a shell command that builds a side in its worktree.
        code_paths: what of a worktree is put on the path of Python; empty for the usual places.
        pairs: fresh processes per side in the first look.
        minimum_effect: the smallest change that counts, as a share.
        minimum_effects: by glob, see `minimum_effect_for`.
        budget: wall time as text, such as `10m`.
        fail_on: notes that fail, of `FAILABLE`.
        acceptances: the reviewed file of accepted changes.
        sweep: named sweeps or sweep files.
        cases: files of case ids.
        case: case ids.
        axes: values to replace everywhere, such as `groups=1,2`.
        implementation: names or patterns with commas.
        device: `cpu`, `cuda` or `cuda:1`; None for the usual one.
        threads: CPU threads.
        pin: CPU cores as text, such as `2,3`.
        seed: of inputs, orders and the choice of controls.
        timeout: seconds until a job counts as hung.
    """

    baseline: _Text = None
    build: _Text = None
    code_paths: _Texts = ()
    pairs: _Pairs = 3
    minimum_effect: _Share = 0.02
    minimum_effects: _Shares = {}
    budget: _Text = None
    fail_on: _Texts = ()
    acceptances: Annotated[str, Meta(min_length=1, description="a path in quotes")] = (
        "gconvbench-accepted.toml"
    )
    sweep: _Texts = ()
    cases: _Texts = ()
    case: _Texts = ()
    axes: _Texts = ()
    implementation: Annotated[str, Meta(min_length=1, description="names with commas")] = "default"
    device: _Text = None
    threads: _Threads = 1
    pin: _Text = None
    seed: _Seed = 0
    timeout: _Seconds = 600.0

    def minimum_effect_for(self, case_id: str, implementation: str) -> float:
        """The smallest change that counts for a job, as a share.

        Of `minimum_effects` the last glob decides that matches the case id, or the case id and the
        implementation with a space between; so what is special stands below what is general.
        """
        names = (case_id, f"{case_id} {implementation}")
        effects = [
            share
            for glob, share in self.minimum_effects.items()
            if any(fnmatchcase(name, glob) for name in names)
        ]
        return effects[-1] if effects else self.minimum_effect

    def unmatched_effects(self, jobs: Iterable[tuple[str, str]]) -> list[str]:
        """The globs of `minimum_effects` that match none of these cases and implementations."""
        names = {name for case, by in jobs for name in (case, f"{case} {by}")}
        return [
            glob
            for glob in self.minimum_effects
            if names and not any(fnmatchcase(name, glob) for name in names)
        ]

    def code_paths_in(self, worktree: Path) -> tuple[Path, ...]:
        """What goes on the path of Python for a side: as given, else it and its `src`."""
        if self.code_paths:
            return tuple(worktree / path for path in self.code_paths)
        source = worktree / "src"
        return (worktree, source) if source.is_dir() else (worktree,)

    def overridden(self, given: Mapping[str, object]) -> GateOptions:
        """These options with what the command line says; None and nothing at all are not given.

        A list replaces the file's list. Cases from anywhere on the command line replace all cases
        and axes of the file, so that `--case ID` measures this case and as it is; axes alone
        replace the file's axes.

        Raises:
            UsageError: a value that is not allowed.
        """
        values = {key: _plain(value) for key, value in given.items() if value not in (None, [], ())}
        checked = _read(values, "command line")
        taken = {key: getattr(checked, key) for key in values}
        if any(key in taken for key in CASES_FROM if key != "axes"):
            taken = dict.fromkeys(CASES_FROM, ()) | taken
        return msgspec.structs.replace(self, **taken)


def _plain(value: object) -> object:
    """Paths as text, alone and in lists."""
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def read_gate_options(config: Path | None, folder: Path) -> GateOptions:
    """The options of a file, or of the `pyproject.toml` in `folder`; the usual ones without either.

    Args:
        config: a `pyproject.toml`, or a file with a table `[tool.gconvbench.gate]` or `[gate]`, or
            with the keys at top level.
        folder: where to look for `pyproject.toml` without it.

    Raises:
        UsageError: a file that cannot be read, or a key or value that is not allowed.
    """
    path = config or folder / PYPROJECT
    if config is None and not path.is_file():
        return GateOptions()
    return _read(*_table_of(path, repr(str(path))))


def read_earlier_options(path: Path, subject: str) -> tuple[GateOptions | None, tuple[str, ...]]:
    """What a file of an earlier time has that can still be read, and why the rest cannot.

    Args:
        path: as the `config` of `read_gate_options`.
        subject: what to call it.

    Returns:
        No options where there is no such file, or nothing about a gate in it.
    """
    if not path.is_file():
        return None, ()
    try:
        table, subject = _table_of(path, subject)
    except UsageError as error:
        return None, (str(error),)
    if not isinstance(table, dict):
        return None, (f"{subject} is no table",)
    if not table:
        return None, ()
    values: dict[str, Any] = {}
    problems = []
    for key, value in table.items():
        try:
            values[key] = getattr(_read({key: value}, subject), key)
        except UsageError as error:
            problems.append(str(error))
    return GateOptions(**values), tuple(problems)


def _table_of(path: Path, subject: str) -> tuple[object, str]:
    """The table about the gate, and what to call it."""
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        message = f"{subject} cannot be read: {error.strerror}"
        raise UsageError(message) from None
    except UnicodeDecodeError:
        message = f"{subject} is not UTF-8 text"
        raise UsageError(message) from None
    table = decode_toml(text, subject)
    if path.name == PYPROJECT or "tool" in table:
        tools = table.get("tool", {})
        ours = tools.get("gconvbench", {}) if isinstance(tools, dict) else {}
        _refuse_keys(ours, f"{subject}, [tool.gconvbench]")
        return ours.get("gate", {}), f"{subject}, [tool.gconvbench.gate]"
    if "gate" not in table:
        return table, subject
    _refuse_keys(table, subject)
    return table["gate"], f"{subject}, [gate]"


def _refuse_keys(table: object, subject: str) -> None:
    """Let a table pass that has nothing but `gate`."""
    if not isinstance(table, dict):
        message = f"{subject} must be a table"
        raise UsageError(message)
    for key in table:
        if key != "gate":
            raise UsageError(f"{subject}: " + refused_name("key", key, ["gate"]))


def _read(table: object, subject: str) -> GateOptions:
    options = read_table(table, GateOptions, subject)
    for kind in options.fail_on:
        if kind not in FAILABLE:
            raise UsageError(f"{subject}: " + refused_name("fail_on", kind, FAILABLE))
    return options
