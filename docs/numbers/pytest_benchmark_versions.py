"""Which versions of pytest-benchmark the pytest plugin works with: its real commands, by version.

    python docs/numbers/pytest_benchmark_versions.py [VERSION@PYTEST | installed ...]

Each version is installed with a pytest into a folder of its own (from wherever pip finds them),
which stands before what is installed. It times one test by gconvbench's engine and stores it; then:

    bit for bit   stats.data are the engine's samples
    saved         --benchmark-save, --benchmark-compare and --benchmark-json leave their files
    fails         --benchmark-compare-fail ends with an error where the stored time was half
    refused       --benchmark-compare of another device's run is a usage error, with the reason
    disabled      --benchmark-disable proves and times nothing
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from common import machine_line, print_table, python_path

VERSIONS = (
    "4.0.0@8.3.5",
    "5.0.1@8.3.5",
    "5.1.0@8.4.2",
    "5.2.3@8.4.2",
    "5.3.0@9.1.0",
    "5.3.1@9.2.0",
)
"""pytest-benchmark below 5.3.1 itself fails with pytest 9.2 (`node._nodeid`)."""
_INSTALLED = f"{version('pytest-benchmark')}@{version('pytest')}"
_PACKAGES = "packages"
_TEST = """
import json

def test_layer(gconv_benchmark):
    record = gconv_benchmark("g2mb1ic8ih6oc8kh3ph1", implementation="native")
    if record.timings:
        open("samples", "w").write(json.dumps(record.timings[0].samples_s))
"""
_COLUMNS = ("bit for bit", "saved", "fails", "refused", "disabled")
_USAGE_ERROR = 4


def main() -> None:
    """Print a row per version; ends with 1 where one does not work."""
    rows: list[tuple[str, ...]] = [("pytest-benchmark", "pytest", *_COLUMNS)]
    for text in sys.argv[1:] or VERSIONS:
        is_here = text == "installed"
        one, _, pytest = (_INSTALLED if is_here else text).partition("@")
        with tempfile.TemporaryDirectory() as folder:
            if not is_here:
                _install(one, pytest, Path(folder))
            found = _tried(one, pytest, Path(folder))
        rows.append((one, pytest, *("yes" if found[name] else "NO" for name in _COLUMNS)))
    print(f"{machine_line()}, Python {sys.version.split()[0]}")
    print_table(rows)
    sys.exit(any("NO" in row for row in rows))


def _install(one: str, runner: str, folder: Path) -> None:
    wanted = [f"pytest-benchmark=={one}", f"pytest=={runner}", "py-cpuinfo"]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target"]
    subprocess.run([*pip, str(folder / _PACKAGES), *wanted], check=True)


def _tried(one: str, runner: str, folder: Path) -> dict[str, bool]:
    (folder / "test_layer.py").write_text(_TEST)

    def pytest(*words: str) -> int:
        path = python_path(folder / _PACKAGES)
        environment = os.environ | {"PYTHONPATH": path, "TMPDIR": str(folder)}
        command = [sys.executable, "-m", "pytest", "-q", "--gconvbench-processes=1", *words]
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        said.append(done.stdout + done.stderr)
        return done.returncode

    said: list[str] = []
    code = pytest("--benchmark-only", "--benchmark-save=base", "--benchmark-json=out.json")
    if code:
        sys.exit(f"pytest-benchmark {one} with pytest {runner}:\n{said[-1]}")
    document = _read(folder / "out.json")
    (saved,) = folder.glob(".benchmarks/*/*.json")
    samples_s = json.loads((folder / "samples").read_text())
    stored = document["benchmarks"][0]["stats"]["data"]
    found = {"bit for bit": stored == samples_s and document["version"] == one}
    compared = pytest("--benchmark-only", "--benchmark-compare")
    found["saved"] = code == compared == 0 and "(NOW)" in said[-1]
    _halve(saved)
    found["fails"] = pytest("--benchmark-compare", "--benchmark-compare-fail=min:20%") != 0
    found["fails"] = found["fails"] and "Performance has regressed" in said[-1]
    _move(saved)
    found["refused"] = pytest("--benchmark-compare") == _USAGE_ERROR
    found["refused"] = found["refused"] and "device_name was 'elsewhere'" in said[-1]
    found["disabled"] = pytest("--benchmark-disable") == 0 and "(time in" not in said[-1]
    return found


def _read(path: Path) -> Any:  # noqa: ANN401 (JSON)
    return json.loads(path.read_text())


def _halve(path: Path) -> None:
    document = _read(path)
    document["benchmarks"][0]["stats"]["min"] /= 2
    path.write_text(json.dumps(document))


def _move(path: Path) -> None:
    document = _read(path)
    document["machine_info"]["gconvbench"]["identity"]["device_name"] = "elsewhere"
    path.write_text(json.dumps(document))


if __name__ == "__main__":
    main()
