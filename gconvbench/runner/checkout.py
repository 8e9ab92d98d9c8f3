"""Git: which commit is the baseline, and a checkout of it beside the working tree."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gconvbench.errors import NotMeasuredError, UsageError, refused_name
from gconvbench.runner.commands import run_to_end

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "Baseline",
    "NoBaselineError",
    "NotBuiltError",
    "checkout",
    "default_baseline",
    "file_at",
    "has_module",
    "has_new_code",
    "is_ancestor",
    "is_dirty",
    "resolve",
    "top_if_any",
    "top_of",
]

_MAIN = ("origin/HEAD", "origin/main", "origin/master", "main", "master")
_TIMEOUT_S = 120.0
_BUILD_TIMEOUT_S = 3600.0


class NoBaselineError(NotMeasuredError):
    """There is no commit to compare with."""


class NotBuiltError(NotMeasuredError):
    """The build command failed in the checkout."""


class Baseline(NamedTuple):
    """A commit to compare with, and why it is this one."""

    commit: str
    why: str


def top_of(folder: Path) -> Path:
    """The working tree that a folder lies in.

    Raises:
        UsageError: it lies in none.
    """
    try:
        return Path(_git(folder, "rev-parse", "--show-toplevel"))
    except _GitError:
        message = f"{str(folder)!r} is in no git repository; a baseline commit needs one, or give "
        raise UsageError(message + "--baseline-python, --baseline-set or a stored run") from None


def top_if_any(folder: Path) -> Path | None:
    """The working tree that a folder lies in, or None."""
    try:
        return top_of(folder)
    except UsageError:
        return None


def has_module(repository: Path, module: str) -> bool:
    """Whether git knows a file of a working tree that would be imported by this dotted name."""
    path = module.replace(".", "/")
    names = [f":(glob)**/{path}{end}" for end in (".py", "/__init__.py")]
    try:
        return bool(_git(repository, "ls-files", "--", *names))
    except _GitError:
        return False


def resolve(repository: Path, reference: str) -> str:
    """The commit that is meant.

    Raises:
        UsageError: no such commit.
    """
    try:
        return _git(repository, "rev-parse", "--verify", "--quiet", f"{reference}^{{commit}}")
    except _GitError:
        names = _git(repository, "for-each-ref", "--format=%(refname:short)").splitlines()
        hint = "; in a shallow clone, git fetch --unshallow" if _is_shallow(repository) else ""
        refused = refused_name("baseline commit", reference, [*names[:20], "any commit", "latest"])
        raise UsageError(refused + hint) from None


def default_baseline(repository: Path) -> Baseline:
    """Where this branch left the main one; on the main branch the commit before.

    With changes that are not committed, on the main branch, it is the last commit itself.

    Raises:
        NoBaselineError: no main branch, nothing in common with it, or no earlier commit.
    """
    head = resolve(repository, "HEAD")
    main = next((name for name in _MAIN if _exists(repository, name)), None)
    if main is None:
        message = f"no main branch is known ({', '.join(_MAIN)}); name a commit with --baseline"
        raise NoBaselineError(message)
    try:
        base = _git(repository, "merge-base", "HEAD", main)
    except _GitError:
        message = f"HEAD and {main} have no commit in common; git fetch --unshallow, or --baseline"
        raise NoBaselineError(message) from None
    if base != head:
        return Baseline(base, f"where this branch left {main}")
    if is_dirty(repository):
        return Baseline(head, "the last commit, against what is not committed")
    if not _exists(repository, "HEAD~1"):
        message = "HEAD is the first commit; name a commit with --baseline"
        if _is_shallow(repository):
            message = "HEAD is all that this shallow clone has; git fetch --unshallow"
        raise NoBaselineError(message)
    return Baseline(resolve(repository, "HEAD~1"), f"the commit before, on {main}")


def is_dirty(repository: Path) -> bool:
    """Whether tracked files have changes that are not committed."""
    return bool(_git(repository, "status", "--porcelain", "--untracked-files=no"))


def has_new_code(repository: Path) -> bool:
    """Whether there are files of Python that git does not know yet and does not ignore."""
    return bool(_git(repository, "ls-files", "--others", "--exclude-standard", "--", "*.py"))


def is_ancestor(repository: Path, older: str, newer: str) -> bool:
    """Whether one commit is the other, or comes before it; no where one of them is unknown."""
    try:
        _git(repository, "merge-base", "--is-ancestor", older, newer)
    except _GitError:
        return False
    return True


def file_at(repository: Path, commit: str, path: str) -> str | None:
    """A file's text in a commit, its path from the top; None where it is not there.

    Raises:
        NotMeasuredError: git cannot tell.
    """
    try:
        if not _git(repository, "ls-tree", "--name-only", commit, "--", path):
            return None
        return _git(repository, "show", f"{commit}:{path}")
    except _GitError as error:
        message = f"{path!r} of commit {commit[:10]} cannot be read: {error}"
        raise NotMeasuredError(message) from None


@contextlib.contextmanager
def checkout(
    repository: Path,
    commit: str,
    *,
    build: str | None = None,
    build_timeout_s: float = _BUILD_TIMEOUT_S,
) -> Iterator[Path]:
    """A detached worktree of a commit for the block; it vanishes whatever happens.

    Args:
        repository: the working tree whose repository has the commit.
        commit: which.
        build: a shell command that is run in it first.
        build_timeout_s: how long that may take.

    Raises:
        NotBuiltError: the command failed, or did not end in time.
        NotMeasuredError: git could not make it.
    """
    with contextlib.suppress(_GitError):
        _git(repository, "worktree", "prune")  # what an earlier, killed gate has left
    with tempfile.TemporaryDirectory(prefix="gconvbench-") as folder:
        tree = Path(folder).resolve() / "baseline"
        try:
            try:
                _fill(repository, tree, commit)
            except _GitError as error:
                message = f"commit {commit[:10]} cannot be checked out: {error}"
                raise NotMeasuredError(message) from None
            if build:
                _build(tree, build, build_timeout_s)
            yield tree
        finally:
            with contextlib.suppress(_GitError):
                _git(repository, "worktree", "remove", "--force", str(tree))


def _fill(repository: Path, tree: Path, commit: str) -> None:
    """The commit's files, with those of its submodules; large ones may take long to arrive."""
    add = ("worktree", "add", "--detach", "--quiet", str(tree), commit)
    _git(repository, *add, timeout_s=_BUILD_TIMEOUT_S)
    if (tree / ".gitmodules").is_file():
        update = ("submodule", "update", "--init", "--recursive", "--quiet")
        _git(tree, *update, timeout_s=_BUILD_TIMEOUT_S)


def _build(tree: Path, command: str, timeout_s: float) -> None:
    ended = run_to_end(command, tree, timeout_s=timeout_s)
    if ended.code is None:
        message = f"build command {command!r} did not end within {timeout_s:g} s"
        raise NotBuiltError(message)
    if ended.code:
        status = f"failed with status {ended.code}"
        message = f"build command {command!r} {status}: {ended.last_words}"
        raise NotBuiltError(message)


class _GitError(Exception):
    """What git said when it failed."""


def _git(folder: Path, *arguments: str, timeout_s: float = _TIMEOUT_S) -> str:
    try:
        done = subprocess.run(  # noqa: S603
            ["git", *arguments],  # noqa: S607 (whatever git the user has)
            cwd=folder,
            check=False,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
        )
    except subprocess.TimeoutExpired:
        message = f"git {arguments[0]} did not end within {timeout_s:g} s"
        raise _GitError(message) from None
    except OSError as error:
        message = f"git cannot be started: {error.strerror}"
        raise UsageError(message) from None
    if done.returncode:
        words = done.stderr.strip().splitlines() or ["it said nothing"]
        raise _GitError(words[-1])
    return done.stdout.rstrip("\n")


def _exists(repository: Path, reference: str) -> bool:
    try:
        _git(repository, "rev-parse", "--verify", "--quiet", f"{reference}^{{commit}}")
    except _GitError:
        return False
    return True


def _is_shallow(repository: Path) -> bool:
    return _git(repository, "rev-parse", "--is-shallow-repository") == "true"
