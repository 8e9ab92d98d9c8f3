"""Named sets of cases shipped with the package: TOML files and tables. Imports no torch."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from gconvbench.cases import Sweep, parse_sweep
from gconvbench.errors import UsageError, refused_name
from gconvbench.workloads.networks import FORUM_EXAMPLE, Network, network_named
from gconvbench.workloads.tables import SWEEPS

__all__ = ["FORUM_EXAMPLE", "Network", "load", "names", "network"]

_SUFFIX = ".toml"


def names() -> tuple[str, ...]:
    """The shipped sweeps, in alphabetical order."""
    files = resources.files(__package__).iterdir()
    written = (f.name.removesuffix(_SUFFIX) for f in files if f.name.endswith(_SUFFIX))
    return tuple(sorted([*written, *SWEEPS]))


def load(name: str) -> Sweep:
    """The shipped sweep of that name, or the sweep in the file of that name.

    Raises:
        UsageError: no such sweep or file, or its text is not a sweep.
    """
    if name in SWEEPS:
        return SWEEPS[name]()
    if name in names():
        text = resources.files(__package__).joinpath(name + _SUFFIX).read_text("utf-8")
        return parse_sweep(text, name)
    if not name.endswith(_SUFFIX):
        raise UsageError(refused_name("sweep", name, names()) + f", or a {_SUFFIX} file")
    try:
        text = Path(name).read_text("utf-8")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        message = f"sweep file {name!r} cannot be read: {reason}"
        raise UsageError(message) from None
    return parse_sweep(text, Path(name).stem)


def network(name: str) -> Network:
    """The network of that name: of a shipped sweep or a sweep file, or of the sweep `layers`.

    Raises:
        UsageError: no such network, or none of its layers has groups.
    """
    return network_named(name, names, load)
