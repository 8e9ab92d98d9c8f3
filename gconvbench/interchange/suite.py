"""Which jobs a benchmark of asv stands for: said by its version, and by its parameters.

asv asks for an explicit version and begins a new series where it changes; values of parameters it
tells apart by itself. Ours has a number, the fields that all combinations share, and the
parameters' names:

    1: operation=conv direction=fprop size=28; groups channels dtype implementation

so that a result file by itself says what was measured.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from gconvbench.cases import Sweep, case_id, parse_axis, parse_case
from gconvbench.errors import UsageError
from gconvbench.records import Job

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["CASE", "IMPLEMENTATION", "NUMBER", "Family"]

NUMBER = 1
"""Goes up with whatever moves numbers without moving the code under test."""
CASE = "case"
"""A parameter that is a case id, in the place of all axes."""
IMPLEMENTATION = "implementation"
_VERSION = re.compile(r"\d+: (?P<fixed>[^;]*); (?P<names>[a-z_ ]+)")


class Family(msgspec.Struct, frozen=True):
    """The jobs of one benchmark: a product of parameters.

    Attributes:
        fixed: axes with one value, written as on the command line, such as `size=28`.
        names: of the parameters in their order: axes or `case`, and `implementation`.
    """

    fixed: tuple[str, ...]
    names: tuple[str, ...]

    @property
    def version(self) -> str:
        """What asv stores."""
        return f"{NUMBER}: {' '.join(self.fixed)}; {' '.join(self.names)}"

    @classmethod
    def of_version(cls, text: str) -> Family | None:
        """Read a version; None where it is another benchmark's."""
        match = _VERSION.fullmatch(text)
        if match is None or IMPLEMENTATION not in match["names"].split():
            return None
        return cls(tuple(match["fixed"].split()), tuple(match["names"].split()))

    def job(self, values: Sequence[object]) -> Job:
        """The job of one combination of parameters.

        Raises:
            UsageError: it is no possible case, with the reason; or no value of an axis.
        """
        given = dict(zip(self.names, map(str, values), strict=True))
        implementation = given.pop(IMPLEMENTATION)
        if CASE in given:
            return Job(case_id(parse_case(given[CASE])), implementation)
        sweep = Sweep()
        for text in (*self.fixed, *(f"{name}={value}" for name, value in given.items())):
            sweep = sweep.override(*parse_axis(text))
        found = sweep.expand()
        if not found.cases:
            raise UsageError(found.excluded[0].reason)
        return Job(case_id(found.cases[0].case), implementation)
