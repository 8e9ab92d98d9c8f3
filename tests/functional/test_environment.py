"""`environment`: this machine and stored runs, what they differ in, and nothing of the person."""

from __future__ import annotations

import json
import os
import re
import subprocess
from typing import TYPE_CHECKING, Any

from gconvbench.environment.variables import VARIABLES
from tests.functional.conftest import SMALL
from tests.functional.test_show import without_torch

if TYPE_CHECKING:
    from pathlib import Path

    from tests.functional.conftest import Command, Outcome

TOKEN = "ghp_" + "Mallory7" * 4
SITE = """
import os, platform, socket
socket.gethostname = platform.node = lambda: "mallorys-laptop"
uname = platform.uname()
platform.uname = lambda: uname._replace(node="mallorys-laptop")
os.environ["SITE_WAS_HERE"] = "mallory"
"""


def edited(command: Command, name: str, **identity: Any) -> str:
    """A copy of the only stored run with other facts in its header; the copy's name."""
    header, *others = command.stored()[0].read_text("utf-8").splitlines()
    document = json.loads(header)
    document["environment"]["identity"] |= identity
    lines = [json.dumps(document), *others]
    (command.folder / name).write_text("\n".join(lines) + "\n", "utf-8")
    return name


def test_a_run_of_this_machine_is_comparable_with_it(measured: tuple[Command, Outcome]) -> None:
    command, _ = measured
    outcome = command("environment", "--diff", "latest")
    assert outcome.code == 0, outcome.out + outcome.err
    assert outcome.out.splitlines()[0].startswith("before: ")
    assert outcome.out.splitlines()[1].startswith("after:  this machine now on ")
    assert outcome.out.endswith("agree in every field that is known\n")


def test_other_threads_are_another_machine(measured: tuple[Command, Outcome]) -> None:
    command, _ = measured
    outcome = command("environment", "--diff", "latest", "--threads", "2")
    assert outcome.code == 4
    assert "not comparable because of 3 fields: threads, MKL_NUM_THREADS" in outcome.out


def test_another_device_is_not_comparable_and_the_field_is_named(
    measured: tuple[Command, Outcome],
) -> None:
    command, _ = measured
    name = edited(command, "other.jsonl", device_name="Deep Thought")
    outcome = command("environment", "--diff", name)
    assert outcome.code == 4
    assert re.search(r"device_name +Deep Thought +\S", outcome.out)
    assert outcome.out.endswith("not comparable because of 1 field: device_name\n")
    document = json.loads(command("environment", "--diff", name, "--json").out)
    assert document["comparability"] == "not_comparable"
    (found,) = document["differences"]
    assert (found["class"], found["field"], found["state"], found["before"]) == (
        "identity", "device_name", "different", "Deep Thought",
    )  # fmt: skip


def test_null_against_a_value_cannot_be_told(measured: tuple[Command, Outcome]) -> None:
    command, _ = measured
    outcome = command("environment", "--diff", edited(command, "null.jsonl", cores=None))
    assert outcome.code == 3
    assert "unknown, not different" in outcome.out
    assert outcome.out.endswith("cannot be told because of 1 unknown field: cores\n")


def test_two_stored_runs_are_compared_without_torch(measured: tuple[Command, Outcome]) -> None:
    command, _ = measured
    name = edited(command, "two.jsonl", memory_gib=1)
    bare = without_torch(command)
    outcome = command("environment", "latest", "--diff", name, **bare)
    assert outcome.code == 4, outcome.err
    assert re.search(r"memory_gib +1 +\d+ +identity", outcome.out)
    assert command("environment", "latest", "--diff", "latest", **bare).code == 0
    alone = command("environment", name, "--json", **bare)
    assert json.loads(alone.out)["identity"]["memory_gib"] == 1
    assert "/proc/cpuinfo model name" in command("environment", name, **bare).out


def test_what_is_asked_of_this_machine_is_refused_of_a_stored_run(
    measured: tuple[Command, Outcome],
) -> None:
    command, _ = measured
    outcome = command("environment", "latest", "--threads", "2")
    assert outcome.code == 2
    assert "--threads is for this machine; a stored run has its own" in outcome.err
    outcome = command("environment", "--diff", "no-such-run")
    assert outcome.code == 2
    assert "run 'no-such-run' is not known" in outcome.err


def test_each_field_is_printed_with_its_source_in_80_columns(gconvbench: Command) -> None:
    text = gconvbench("environment").out
    assert re.search(r"  cudnn_benchmark +False +torch\.backends\.cudnn\.benchmark", text)
    assert max(map(len, text.splitlines())) <= 80
    document = json.loads(gconvbench("environment", "--json").out)
    fields = document["identity"] | document["under_test"] | document["soft"]
    assert document["sources"].keys() == fields.keys()


def test_a_run_in_a_hostile_environment_stores_nothing_of_it(gconvbench: Command) -> None:
    folder = gconvbench.folder / "home" / "mallory"
    hostile_checkout(folder)
    gconvbench.folder = folder
    site = folder / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(SITE)
    planted = dict.fromkeys(
        (
            "GITHUB_TOKEN", "GH_TOKEN", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "HF_TOKEN",
            "GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "HOSTNAME", "SSH_CONNECTION",
        ),
        TOKEN,
    )  # fmt: skip
    allowed = {field.name: TOKEN for field in VARIABLES if field.name.isupper()}
    outcome = gconvbench(
        "run", *SMALL, "--implementation", "native,raising", "--rounds", "2",
        "--results", str(folder / "results of mallory"),
        **planted, **allowed,
        HOME=str(folder), USER="mallory", LOGNAME="mallory", TMPDIR=str(folder),
        LD_PRELOAD=f"{folder}/lib{TOKEN}.so",
        PYTHONPATH=f"{site}:{gconvbench.environment['PYTHONPATH']}",
    )  # fmt: skip
    (path,) = folder.glob("results of mallory/runs/*/*.jsonl")
    stored = path.read_text("utf-8")
    assert len(stored.splitlines()) == 5, outcome.err
    words = r"mallory|laptop|ghp_|/home|secret"
    assert not re.search(words, path.name + stored, re.IGNORECASE)
    assert '"<set>"' in stored


def hostile_checkout(folder: Path) -> None:
    """A commit by a person with a name, and a remote whose address has a token."""
    folder.mkdir(parents=True)
    for arguments in (
        ("init", "--quiet"),
        ("config", "user.name", "Mallory"),
        ("config", "user.email", "mallory@laptop"),
        ("remote", "add", "origin", f"https://mallory:{TOKEN}@example.org/secret.git"),
        ("commit", "--quiet", "--allow-empty", "-m", "mallory"),
    ):
        subprocess.run(
            ["git", *arguments],  # noqa: S607
            cwd=folder, check=True, env={"PATH": os.environ["PATH"], "HOME": str(folder)},
        )  # fmt: skip


def test_a_pinned_run_of_this_machine_is_comparable_with_it(gconvbench: Command) -> None:
    core = min(os.sched_getaffinity(0))
    done = gconvbench(
        "run", *SMALL, "--implementation", "native", "--rounds", "1", "--pin", str(core),
        "--target", "30%", "--json",
    )  # fmt: skip
    assert done.code == 0, done.err
    compared = gconvbench("environment", "--diff", "latest")
    assert compared.code == 0, compared.out + compared.err
    assert "comparable: identity and method agree" in compared.out
    unpinned = gconvbench("run", *SMALL, "--implementation", "native", "--rounds", "1", "--json")
    assert unpinned.lines[0]["machine"] == done.lines[0]["machine"]
    against = gconvbench("environment", "latest", "--diff", "latest~1")
    assert against.code == 4
    assert f"cores   {core}" in " ".join(against.out.split()).replace("cores ", "cores   ")
