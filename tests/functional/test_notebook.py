"""`bench` with real worker processes, and the notebook of the documentation in a real kernel."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import nbformat
import pytest

import gconvbench
from gconvbench.cases import Case
from tests.functional.conftest import PLUGIN, ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.functional.conftest import Command

NOTEBOOK = ROOT / "docs" / "bench.ipynb"
TINY = Case(groups=2, in_channels=4, out_channels=4, height=6, width=6, padding=(1, 1))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Temporary files of its own, and the ill-behaved plugin for workers."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(PLUGIN))
    return tmp_path


def test_a_crash_in_a_worker_costs_one_row(folder: Path) -> None:
    table = gconvbench.bench(
        TINY,
        device="cpu",
        threads=1,
        target=0.5,
        implementations="native,segfaulting,split_concat",
        rounds=2,
        isolate=True,
    )

    frame = table.frame.set_index("implementation")
    assert dict(frame["outcome"]) == {
        "native": "measured", "split_concat": "measured", "segfaulting": "crashed",
    }  # fmt: skip
    assert frame["detail"]["segfaulting"] == "the worker died of SIGSEGV"
    assert frame["rounds"]["native"] == 2
    assert "in place" not in str(table)
    assert not list(folder.iterdir())


def test_a_stored_table_is_what_show_shows(folder: Path, gconvbench: Command) -> None:
    from gconvbench import bench  # noqa: PLC0415 (the fixture has the package's name)

    table = bench(
        torch_module(),
        input_shape=(1, 4, 6, 6),
        threads=1,
        target=0.5,
        implementations=["native", "split_concat"],
        rounds=2,
        isolate=True,
        results=gconvbench.results,
    )
    (path,) = gconvbench.stored()
    shown = gconvbench("show", "latest")

    assert shown.code == 0, shown.err
    text, _, stored_in = str(table).partition("stored in ")
    assert "".join(stored_in.split()) == str(path)
    for line in text.splitlines():
        assert line in shown.out


def torch_module() -> Any:
    import torch  # noqa: PLC0415

    return torch.nn.Conv2d(4, 4, 3, groups=2)


def test_the_notebook_runs_and_draws_its_table(tmp_path: Path) -> None:
    book = execute(NOTEBOOK, tmp_path)

    outputs = [output for cell in book.cells for output in cell.get("outputs", [])]
    html = [output.data.get("text/html", "") for output in outputs if "data" in output]
    assert [output for output in outputs if output.output_type == "error"] == []
    assert "<caption" in html[0]
    assert "native_channels_last" in html[0]
    assert "groups=2 takes" in str(outputs)


def execute(notebook: Path, folder: Path) -> Any:
    """The notebook with the outputs that it has in a kernel of this interpreter.

    Whatever kernels are registered on the machine; and in a process of its own, since nbclient
    leaves sockets to the garbage collector, which warns of them.
    """
    kernel = folder / "kernels" / "this-python" / "kernel.json"
    kernel.parent.mkdir(parents=True)
    arguments = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    description = {"argv": arguments, "display_name": "this Python", "language": "python"}
    kernel.write_text(json.dumps(description), "utf-8")
    copy = folder / notebook.name
    source: Any = nbformat.read(notebook, as_version=4)  # type: ignore[no-untyped-call]
    for cell in source.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    nbformat.write(source, copy)  # type: ignore[no-untyped-call]
    done = subprocess.run(
        [sys.executable, "-c", "from nbclient.cli import main; main()",
         "--kernel_name=this-python", "--timeout=200", "--inplace", str(copy)],
        env=os.environ
        | {"JUPYTER_PATH": str(folder), "PYTHONPATH": str(ROOT), "TMPDIR": str(folder)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return nbformat.read(copy, as_version=4)  # type: ignore[no-untyped-call]


def test_the_notebook_is_stored_with_its_outputs_and_names_no_one() -> None:
    text = NOTEBOOK.read_text("utf-8")
    book: Any = nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]

    code = [cell for cell in book.cells if cell.cell_type == "code" and "%pip" not in cell.source]
    assert all(cell.outputs for cell in code)
    assert not re.search(r"/(home|root|tmp|work|usr)/|hostname", text)
    assert os.uname().nodename not in text
    assert set(book.metadata) == {"kernelspec", "language_info"}
