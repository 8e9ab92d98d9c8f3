"""A comparison for readers: terminal, markdown, JUnit XML, annotations, JSON. Imports no torch."""

from gconvbench.report.comparison.annotations import workflow_commands
from gconvbench.report.comparison.document import decode_comparison, encode_comparison
from gconvbench.report.comparison.junit import to_junit
from gconvbench.report.comparison.markdown import to_markdown
from gconvbench.report.comparison.outputs import (
    OUTPUTS,
    GitHub,
    github,
    remove_outputs,
    write_outputs,
)
from gconvbench.report.comparison.sentence import first_sentence
from gconvbench.report.comparison.text import print_comparison

__all__ = [
    "OUTPUTS",
    "GitHub",
    "decode_comparison",
    "encode_comparison",
    "first_sentence",
    "github",
    "print_comparison",
    "remove_outputs",
    "to_junit",
    "to_markdown",
    "workflow_commands",
    "write_outputs",
]
