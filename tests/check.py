"""All checks, for contributors and CI alike: format, lint, types, import contracts, tests.

Tests of the package's parts share the cores, a thread each, and so do those of programs whose times
do not matter; those that look at times, at neighbours or at a lock have the machine to themselves.
"""

from __future__ import annotations

import subprocess
import sys
import time

PARTS = ("tests/unit", "tests/property")
ALONE = tuple(
    f"tests/functional/test_{name}.py"
    for name in ("ci", "doctor_neighbours", "isolation", "labels", "lock", "numbers")
)
SHARED = ("-n", "logical", "--dist", "loadfile")

CHECKS = (
    ("format", "-m", "ruff", "format", "--check", "."),
    ("lint", "-m", "ruff", "check", "."),
    ("types", "-m", "mypy"),
    ("import contracts", "-c", "from importlinter.cli import lint_imports_command as lint; lint()"),
    ("tests of parts", "-m", "pytest", "-n", "logical", *PARTS),
    (
        "tests of programs",
        "-m",
        "pytest",
        *SHARED,
        *(f"--ignore={one}" for one in (*PARTS, *ALONE)),
    ),
    ("tests of programs alone", "-m", "pytest", *ALONE),
)


def main() -> int:
    """Run every check, even after a failure; 1 when one failed."""
    failed = []
    for name, *arguments in CHECKS:
        print(f"== {name}", flush=True)
        start = time.monotonic()
        if subprocess.run([sys.executable, *arguments], check=False).returncode:
            failed.append(name)
        print(f"== {name}: {time.monotonic() - start:.0f} s", flush=True)
    print(f"failed: {', '.join(failed)}" if failed else "all checks passed")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
