"""The words for what a comparison found, and foreign text made harmless to lines of text."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from gconvbench.report import format as fmt

if TYPE_CHECKING:
    from gconvbench.records import Change, Finding, JobVerdict

__all__ = [
    "change_sentence",
    "clean",
    "counted",
    "finding_line",
    "interval_text",
    "job_name",
    "said_of",
    "shortened",
    "word",
]

_REPLACED = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Unicode's categories of control, format (among them those that turn the direction of writing),
surrogate and separator characters."""
_VERBS = {
    "crashed": ("", ""),
    "failed": ("", ""),
    "timed_out": ("", ""),
    "out_of_memory": ("ran ", "ran "),
    "no_baseline": ("has ", "have "),
    "not_reached": ("was ", "were "),
    "dispatch": ("changed in ", "changed in "),
    "accuracy": ("changed in ", "changed in "),
    "memory": ("changed in ", "changed in "),
}


def word(kind: str) -> str:
    """`timed out` for `timed_out`: a kind in running text and tables."""
    return kind.replace("_", " ")


def said_of(kind: str, count: int) -> str:
    """With its verb, in singular or plural: `is slower`, `have no baseline`."""
    singular, plural = _VERBS.get(kind, ("is ", "are "))
    return (singular if count == 1 else plural) + word(kind)


def counted(count: int, noun: str) -> str:
    """`1 job`, `2 jobs`, `2 processes`."""
    ending = "es" if noun.endswith("s") else "s"
    return f"{count:,} {noun}{'' if count == 1 else ending}"


def clean(text: str) -> str:
    """One line without control characters, whatever it was."""
    if text.isascii() and text.isprintable():
        return text
    spaced = " ".join(text.split())
    return "".join(_printable(character) for character in spaced)


def _printable(character: str) -> str:
    return (
        "\N{REPLACEMENT CHARACTER}" if unicodedata.category(character) in _REPLACED else character
    )


def shortened(text: str, most: int) -> str:
    """At most so many characters; what is cut off is marked."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def job_name(job: JobVerdict) -> str:
    """`native g32...:fprop`; also a cache mode that is not hot, and another baseline's name."""
    name = job.implementation
    if job.baseline_implementation and job.baseline_implementation != name:
        name = f"{name} (against {job.baseline_implementation})"
    mode = f" {job.cache_mode}" if job.cache_mode != "hot" else ""
    return clean(f"{name} {job.case}{mode}")


def change_sentence(change: Change) -> str:
    """`+10.4 % (95 % +9.1 to +11.8 %)`."""
    interval = interval_text(change)
    return fmt.change_text(change.ratio - 1) + (f" (95 % {interval})" if interval else "")


def interval_text(change: Change) -> str:
    """`+9.1 to +11.8 %`; empty where it is not known."""
    if change.low is None or change.high is None:
        return ""
    return fmt.change_interval_text(change.low - 1, change.high - 1)


def finding_line(finding: Finding) -> str:
    """`other machine: its detail`."""
    detail = clean(finding.detail)
    return f"{word(finding.kind)}: {detail}" if detail else word(finding.kind)
