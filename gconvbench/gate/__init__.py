"""Did it get slower? The arithmetic of a gate, for anybody's measurements. Imports no torch.

`judge_sides` is handed a function that measures; `judge` begins with arrays that are there.
"""

from gconvbench.gate.judge import judge, judge_sides
from gconvbench.gate.judgement import CaseVerdict, Judgement, SuiteShift
from gconvbench.gate.processes import Budget, level
from gconvbench.gate.rule import Rule

__all__ = [
    "Budget",
    "CaseVerdict",
    "Judgement",
    "Rule",
    "SuiteShift",
    "judge",
    "judge_sides",
    "level",
]
