"""What a gate asks of the baseline: also what only its own configuration and files name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from gconvbench.cli.selection import DEFAULT_SWEEP, select, together
from gconvbench.errors import UsageError
from gconvbench.gate_options import (
    CASES_FROM,
    PYPROJECT,
    GateOptions,
    read_earlier_options,
    read_gate_options,
)
from gconvbench.planning import split_words
from gconvbench.runner.checkout import top_if_any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gconvbench.cli.selection import Selection

__all__ = ["Earlier", "refuse_subfolder", "select_for"]

_USUAL = GateOptions()


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


def refuse_subfolder(config: Path | None) -> None:
    """Below its configuration a gate would measure something else, and nobody be told.

    Args:
        config: the file of options that was given; None for `pyproject.toml`.

    Raises:
        UsageError: there is no configuration here, but one above, in the same repository.
    """
    here = Path.cwd()
    top = top_if_any(here) if config is None else None
    if top is None:
        return
    for folder in (here, *(one for one in here.resolve().parents if one.is_relative_to(top))):
        options, problems = read_earlier_options(folder / PYPROJECT, PYPROJECT)
        if options is None and not problems:
            continue
        if folder != here:
            file = os.path.relpath(folder / PYPROJECT, here)
            why = f" ({problems[0]})" if problems else ""
            message = (
                f"the gate's configuration is in {file}{why}, not here; begin where it is, or name "
                "one with --config"
            )
            raise UsageError(message)
        return


class Earlier:
    """The baseline's checkout, where it has cases and implementations that are not asked for here.

    Else one would be dropped together with its line, and nobody be told. What the command line asks
    for is all that is meant.

    Args:
        options: what is asked for here.
        config: the file of options that was given; None for `pyproject.toml`.
        repository: the working tree.
        tree: the checkout.

    Attributes:
        own: what its own configuration asks for beside it.
        problems: what of that cannot be read any more.
    """

    def __init__(
        self, options: GateOptions, config: Path | None, repository: Path, tree: Path
    ) -> None:
        self.problems: list[str] = []
        self._options = options
        self._repository = repository.resolve()
        self._tree = tree
        self.own = self._of_file(config)

    def _of_file(self, config: Path | None) -> GateOptions:
        there = self._place(str(config or PYPROJECT))
        subject = f"the baseline's {str(config or PYPROJECT)!r}"
        found, problems = read_earlier_options(there, subject) if there else (None, ())
        self.problems += problems
        if found is None:
            return _USUAL
        if not any(getattr(found, key) for key in CASES_FROM):
            found = replace(found, sweep=(DEFAULT_SWEEP,))
        here = read_gate_options(config, Path.cwd())
        for group in (CASES_FROM, ("implementation",)):
            if any(getattr(self._options, key) != getattr(here, key) for key in group):
                found = replace(found, **{key: getattr(_USUAL, key) for key in group})
        return found

    @property
    def names(self) -> str:
        """The implementations, as words with commas."""
        if self.own.implementation == _USUAL.implementation:
            return self._options.implementation
        texts = (self._options.implementation, self.own.implementation)
        return ",".join(dict.fromkeys(word for text in texts for word in split_words(text)))

    def selection(self, here: Selection) -> Selection:
        """The cases as the checkout has them: its own sweep files and lists of cases.

        Args:
            here: as the working tree has them.
        """
        found = [self._tried(self._options) or here]
        found += filter(None, map(self._tried, self._parts()))
        return together(found)

    def _parts(self) -> Iterator[GateOptions]:
        """What only its configuration asks for, piece by piece, so that one may be unreadable."""
        own = replace(self.own, device=self._options.device)
        if all(getattr(own, key) == getattr(self._options, key) for key in CASES_FROM):
            return
        bare = replace(own, sweep=(), cases=(), case=())
        parts = [
            replace(bare, **{key: (one,)})
            for key in ("sweep", "cases", "case")
            for one in getattr(own, key)
        ]
        yield from parts or ([bare] if bare.axes else [])

    def _tried(self, options: GateOptions) -> Selection | None:
        try:
            return select_for(self._with_own_files(options))
        except UsageError as error:
            self.problems.append(f"of the baseline: {error}")
            return None

    def _with_own_files(self, options: GateOptions) -> GateOptions:
        sweeps = [self._there(name) or self._shipped(name) or name for name in options.sweep]
        return replace(
            options,
            sweep=tuple(sweeps),
            cases=tuple(self._there(name) or name for name in options.cases),
        )

    def _place(self, name: str) -> Path | None:
        """Where a file of the repository lies in the checkout; None for one from elsewhere."""
        path = Path(name).resolve()
        if not path.is_relative_to(self._repository):
            return None
        return self._tree / path.relative_to(self._repository)

    def _there(self, name: str) -> str | None:
        place = self._place(name)
        return str(place) if place and place.is_file() else None

    def _shipped(self, name: str) -> str | None:
        """A shipped sweep as another commit of gconvbench ships it."""
        place = self._tree / "gconvbench" / "workloads" / f"{name}.toml"
        return str(place) if place.is_file() else None
