"""Where asv measured, as our records say it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, NamedTuple

from gconvbench.interchange.machine import NONE
from gconvbench.interchange.storing import folder_name, slug_of
from gconvbench.records import Environment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gconvbench.asv_files import AsvResults
    from gconvbench.records import Scalar

__all__ = ["Place", "place_of"]

_GIB = re.compile(r"(\d{1,9}) GiB")
_TESTED = ("driver", "cuda", "cudnn")
_OURS = frozenset({"machine", "os", "arch", "cpu", "num_cpu", "ram", "gpu", *_TESTED, "threads"})


class Place(NamedTuple):
    """Where the results of one file were measured.

    Attributes:
        environment: in the fields of our own, as far as asv knows them.
        has_gpu: whether a card is among the machine's facts.
        threads: of the worker; 0 where asv does not know.
        machine: our slug, or one made of the facts where the name is a host's.
    """

    environment: Environment
    has_gpu: bool
    threads: int
    machine: str


def place_of(results: AsvResults, machine_text: str) -> Place:
    """Read it from a result file and the machine.json beside it.

    What asv calls parameters are the machine's facts as they were, the Python version and the
    requirements, which are under test.
    """
    machine = json.loads(machine_text)
    facts = {key: _text(one) for key, one in machine.items() if key != "version"}
    given = {key: _text(one) for key, one in results.params.items()}
    needs = {k: v for k, v in given.items() if k not in facts and k not in {"python", *_OURS}}
    facts |= {key: one for key, one in given.items() if key in facts or key in _OURS}
    has_gpu = facts.get("gpu", NONE) not in {"", NONE}
    host = {"cores": _number(facts.get("num_cpu")), **_memory(facts, has_gpu=has_gpu)}
    threads = _number(facts.get("threads"))
    others = {key: one for key, one in facts.items() if key not in _OURS}
    identity: dict[str, Scalar] = {
        "device_type": "cuda" if has_gpu else "cpu",
        "device_name": _known(facts.get("gpu" if has_gpu else "cpu")),
        "architecture": _known(facts.get("arch")),
        **({"cpu_model": _known(facts.get("cpu"))} if has_gpu else host),
        **({"threads": threads} if "threads" in facts else {}),
        **{str(key): _text(one) for key, one in results.env_vars.items()},
    }
    tested: dict[str, Scalar] = {
        **{key: _known(one) for key, one in needs.items()},
        **{key: _known(facts[key]) for key in _TESTED if key in facts},
        **({"cudnn": _number(facts["cudnn"])} if "cudnn" in facts else {}),
        "commit": str(results.commit_hash),
        "commit_dirty": False,
    }
    soft: dict[str, Scalar] = {
        "os": _known(facts.get("os")),
        "python": _known(given.get("python")),
        **(host if has_gpu else {}),
        **{key: _known(one) for key, one in others.items()},
    }
    environment = Environment(identity=identity, under_test=tested, soft=soft)
    name = str(results.params.get("machine"))
    slug = folder_name(name) if set(machine) >= _OURS else slug_of(environment, name)
    return Place(environment, has_gpu, threads if isinstance(threads, int) else 0, slug)


def _memory(facts: Mapping[str, str], *, has_gpu: bool) -> dict[str, Scalar]:
    """As `export asv` writes it, else in whatever unit asv found it."""
    ram = facts.get("ram", "")
    if (match := _GIB.fullmatch(ram)) and not has_gpu:
        return {"memory_gib": int(match[1])}
    return {"ram": ram} if ram else {}


def _number(text: str | None) -> Scalar:
    return int(text) if text and text.isdecimal() and len(text) < 10 else _known(text)  # noqa: PLR2004


def _known(text: str | None) -> str | None:
    return text or None


def _text(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)
