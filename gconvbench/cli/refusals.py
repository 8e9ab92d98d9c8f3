"""Options that contradict each other, refused by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gconvbench.errors import UsageError

if TYPE_CHECKING:
    import typer

__all__ = ["given", "refuse_new_options", "refuse_this_machine", "refuse_timing_options"]


def given(context: typer.Context) -> list[str]:
    """The names of the options that were typed."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    return [name for name, source in sources.items() if source and source.name == "COMMANDLINE"]


def refuse_this_machine(context: typer.Context) -> None:
    """A stored run has its device and its threads."""
    for name in given(context):
        if name in {"device", "threads"}:
            message = f"--{name} is for this machine; a stored run has its own: leave one out"
            raise UsageError(message)


def refuse_timing_options(context: typer.Context) -> None:
    """Without timing there is no interval to narrow, and nothing that a twin could tell."""
    for name in given(context):
        if name in {"budget", "aa"}:
            message = f"--{name} is about times; leave it out, or --check-only"
            raise UsageError(message)


def refuse_new_options(context: typer.Context) -> None:
    """With --resume the plan is the stored one."""
    for name in given(context):
        if name not in {"resume", "results", "json", "timeout"}:
            option = "-a" if name == "axis" else "--" + name.replace("_", "-")
            message = f"--resume goes on with the stored plan; {option} cannot change it"
            raise UsageError(message)
