"""A plugin for asv: an environment that shares the installed torch, and the machine's facts.

In `asv.conf.json` (the dot is asv's way to name a module that is not its own):

    "plugins": [".gconvbench.adapters.asv"],
    "environment_type": "gconvbench"

The environment checks out each commit beside the working tree and puts it on the path of Python.
Nothing is built or installed, unless `build_command` says how. Benchmarks that are a
`asv_suite.Suite` are answered by one process per commit, which keeps one worker; all others get a
process each, as asv has it. The engine is always the installed one, as in a gate.

asv would ask for the machine's name and offer the host's; here it is told our slug and what makes
up the machine.
"""

from __future__ import annotations

import atexit
import functools
import os
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from asv import util
from asv.environment import Environment, EnvironmentUnavailable
from asv.machine import Machine, MachineCollection

from gconvbench.adapters.asv_messages import UNFIT
from gconvbench.adapters.asv_process import HostProcess
from gconvbench.adapters.session import CODE_VARIABLE, asked, machine_of
from gconvbench.adapters.sides import python_paths
from gconvbench.errors import GconvbenchError
from gconvbench.interchange.machine import machine_facts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["SharedEnvironment", "setup"]

_INSTALLING = ("install_command", "uninstall_command")
_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


class SharedEnvironment(Environment):  # type: ignore[misc] # asv has no types
    """The running interpreter with its packages, and a checkout of the commit before them.

    Args:
        conf: asv's configuration.
        python: the version that the configuration asks for.
        requirements: packages that it asks for.
        tagged_env_vars: variables that it asks for.

    Raises:
        EnvironmentUnavailable: another Python, or packages that would have to be installed.
    """

    tool_name = "gconvbench"
    _all: ClassVar[list[SharedEnvironment]] = []

    def __init__(
        self,
        conf: Any,  # noqa: ANN401 (asv has no types)
        python: str,
        requirements: Mapping[str, str],
        tagged_env_vars: Mapping[tuple[str, str], str],
    ) -> None:
        if python != _PYTHON:
            message = f"environment_type gconvbench shares Python {_PYTHON}, not {python}"
            raise EnvironmentUnavailable(message)
        unwanted = [*requirements, *(name for name in _INSTALLING if getattr(conf, name))]
        if unwanted:
            message = (
                f"environment_type gconvbench installs nothing, so not {', '.join(unwanted)}; "
                "leave out the matrix's req, install_command and uninstall_command"
            )
            raise EnvironmentUnavailable(message)
        self._host: HostProcess | None = None
        self._requirements = {"torch": metadata.version("torch")}  # asv's names are made of it
        super().__init__(conf, python, self._requirements, tagged_env_vars)
        self._all.append(self)
        atexit.register(self.close)

    def __getstate__(self) -> dict[str, Any]:
        """A copy in another process, which builds, has no host."""
        return self.__dict__ | {"_host": None}

    @classmethod
    def matches(cls, python: str) -> bool:
        """Only the running version."""
        return python == _PYTHON

    def check_presence(self) -> bool:
        """There is nothing to create but a folder."""
        return Path(self._path).is_dir()

    def _setup(self) -> None:
        Path(self._path).mkdir(parents=True)

    def find_executable(self, executable: str) -> str:
        """Beside the running interpreter, or on the path."""
        beside = str(Path(sys.executable).parent)
        found: str = util.which(executable, [beside, *os.environ.get("PATH", "").split(os.pathsep)])
        return found

    def install_project(self, conf: Any, repo: Any, commit_hash: str) -> None:  # noqa: ANN401, ARG002
        """Check the commit out, and build it where the configuration says how."""
        if self.installed_commit_hash == commit_hash:
            self._set_commit_hash(commit_hash)
            return
        self.close()
        self._set_installed_commit_hash(None)  # until all of it is there
        self.checkout_project(repo, commit_hash)
        if self._build_command:
            self._set_build_dirs(str(self._code), None)
            self._interpolate_and_run_commands(
                self._build_command, default_cwd=str(self._code), extra_env=self.build_env_vars
            )
        self._set_installed_commit_hash(commit_hash)

    def run(self, args: Sequence[str], **kwargs: Any) -> Any:  # noqa: ANN401 (asv's contract)
        """Run asv's script: a benchmark of ours in the host, all else in a process of its own."""
        variables = self._variables(kwargs.pop("env", None) or dict(os.environ))
        if args[1] == "run":
            host = self._host_of(self.installed_commit_hash, variables)
            reply = host.ask(args, kwargs["cwd"], timeout_s=kwargs.get("timeout"))
            if reply is not None and reply.code == UNFIT:
                raise util.UserError(reply.out.strip())
            if reply is not None:
                return reply.out, "", reply.code
        return util.check_output([sys.executable, *args], env=variables, **kwargs)

    def close(self) -> None:
        """End the host, and with it the worker."""
        if self._host:
            self._host.close()
        self._host = None

    @property
    def _code(self) -> Path:
        return Path(self._build_root, self._repo_subdir or "")

    def _host_of(self, commit: str | None, variables: dict[str, str]) -> HostProcess:
        """The host of this commit, and no other's; a device has one worker at a time."""
        for one in self._all:
            if one is not self or (self._host and not self._host.serves(commit)):
                one.close()
        if self._host is None:
            self._host = HostProcess(commit, variables)
        return self._host

    def _variables(self, variables: Mapping[str, str]) -> dict[str, str]:
        """Where the code is; asv's script takes paths by a variable of its own only."""
        paths = [*python_paths(self._code), *filter(None, [variables.get("ASV_PYTHONPATH")])]
        return {
            **variables,
            **self._global_env_vars,
            "ASV_PYTHONPATH": os.pathsep.join(paths),
            "PYTHONPATH": os.pathsep.join(paths),
            CODE_VARIABLE: str(self._code),
        }


@functools.cache
def _this_machine() -> str:
    """Our slug, after asv's file of machines was told what there is to know of it."""
    try:
        name, environment = machine_of(asked())
    except GconvbenchError as error:
        raise util.UserError(str(error)) from None
    MachineCollection.save(name, machine_facts(environment, name))
    return name


def setup() -> None:
    """Called by asv when it loads the plugin."""
    Machine.get_unique_machine_name = staticmethod(_this_machine)
