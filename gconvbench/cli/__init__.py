"""The command line: one function per subcommand, exceptions caught in one place."""

from __future__ import annotations

import os
import sys

import typer
from typer.exceptions import Abort, TyperException

from gconvbench.cli import (
    commands,
    explain_commands,
    gate_commands,
    instrument_commands,
    interchange_commands,
)
from gconvbench.cli.output import tolerate_closed_pipe
from gconvbench.errors import ExitCode, GconvbenchError

__all__ = ["app", "main"]

app = typer.Typer(
    name="gconvbench",
    help="Benchmark grouped 2-D convolution in PyTorch: which way is fastest, and is it right?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("run")(commands.run)
app.command("check")(commands.check)
app.command("explain")(explain_commands.explain)
app.command("list")(commands.list_)
app.command("show")(commands.show)
app.command("report")(commands.report)
app.command("history")(commands.history)
app.command("environment")(commands.environment)
app.command("doctor")(instrument_commands.doctor)
app.command("roofline")(instrument_commands.roofline)
app.command("gate")(gate_commands.gate)
app.command("compare")(gate_commands.compare)
app.command("accept")(gate_commands.accept)
app.add_typer(interchange_commands.export_app, name="export")
app.add_typer(interchange_commands.import_app, name="import")


def main() -> None:
    """Run the command line; every ending has its exit code, and no traceback."""
    code = _exit_code()
    try:
        sys.stdout.flush()
    except OSError:  # said already; Python would say it again, with a code of its own
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def _exit_code() -> int:  # noqa: C901, PLR0911 (one branch per kind of ending)
    code = int(ExitCode.FINE)
    try:
        with tolerate_closed_pipe():
            code = int(app(standalone_mode=False) or 0)
    except GconvbenchError as error:
        _complain(str(error))
        return error.exit_code
    except Abort:
        return ExitCode.INTERRUPTED
    except TyperException as error:
        _complain(_with_value(error))
        return ExitCode.USAGE
    except KeyboardInterrupt:
        _complain("interrupted")
        return ExitCode.INTERRUPTED
    except SystemExit as ending:
        # typer exits with 1 where the reader of our output has left; 1 has another meaning here.
        return ExitCode.FINE if ending.code == 1 else ExitCode.FAULT
    except OSError as error:
        _complain(f"cannot read or write: {error}")
        return ExitCode.NOT_MEASURED
    except Exception as error:
        if os.environ.get("GCONVBENCH_TRACEBACK"):
            raise
        _complain(
            f"a fault in gconvbench itself: {type(error).__name__}: {error}; "
            "set GCONVBENCH_TRACEBACK=1 to see where, and please report it"
        )
        return ExitCode.FAULT
    return code


def _with_value(error: TyperException) -> str:
    """What typer says, and the value found, which only the cause of its complaint knows."""
    message = error.format_message()
    causes: list[dict[str, object]] = getattr(error.__cause__, "errors", list)()
    found = causes[0].get("input") if causes else None
    return message if found is None else message.replace("value for", f"value {found!r} for", 1)


def _complain(message: str) -> None:
    print(f"gconvbench: {message}", file=sys.stderr)
