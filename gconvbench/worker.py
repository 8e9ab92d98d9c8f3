"""The worker: jobs in, records out; one process, many jobs. Run as `python -m gconvbench.worker`.

Requests arrive on standard input. Replies leave through the pipe that was standard output; the
descriptor itself is pointed at standard error first, so that nothing an implementation prints can
mix with them.
"""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import sys
from typing import TYPE_CHECKING

import msgspec

from gconvbench.ceilings import measure_ceilings
from gconvbench.examining import examine
from gconvbench.explaining import Explainer
from gconvbench.protocol import (
    AskSupport,
    Examine,
    ExplainFile,
    ExplainLayer,
    KernelsSeen,
    Measure,
    MeasureAnchors,
    MeasureCeilings,
    Measured,
    Ready,
    Refused,
    Reply,
    Request,
    SeeKernels,
    SetUp,
)
from gconvbench.start import start_engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gconvbench.engine import Engine


__all__ = ["main"]

_PR_SET_PDEATHSIG = 1
"""prctl(2): the signal to get when the parent dies."""


def _say(words: str) -> None:
    """To standard error, whose last line is shown of a worker that dies."""
    print(words, file=sys.stderr, flush=True)


def _serve(requests: Iterator[bytes], reply: Callable[[Reply], None]) -> None:
    """Answer until the requests end, or until a job has left the process unusable."""
    decoder = msgspec.json.Decoder(Request)
    engine: Engine | None = None
    explainer: Explainer | None = None
    for line in requests:
        request = decoder.decode(line)
        if isinstance(request, SetUp):
            engine, answer = start_engine(request, announce=_say)
            explainer = Explainer(request, answer) if isinstance(answer, Ready) else None
            gc.collect()
            gc.freeze()  # what was imported stays; to look through it again takes 0.1 s each time
            reply(answer)
        elif engine is None or explainer is None:
            reply(Refused("the worker was asked for work before it was set up"))
        elif isinstance(request, SeeKernels):
            reply(KernelsSeen(engine.see_kernels(request)))
        elif isinstance(request, Measure):
            record = engine.measure(request)
            reply(Measured(record))
            if record.outcome == "crashed":
                return
        else:
            reply(_answered(request, engine, explainer))


def _answered(
    request: AskSupport | MeasureAnchors | MeasureCeilings | Examine | ExplainLayer | ExplainFile,
    engine: Engine,
    explainer: Explainer,
) -> Reply:
    """The reply to anything but work on a job."""
    if isinstance(request, AskSupport):
        return engine.support(request)
    if isinstance(request, MeasureAnchors):
        return engine.measure_anchors(request)
    if isinstance(request, MeasureCeilings):
        return measure_ceilings(engine.device, budget_s=request.budget_s)
    if isinstance(request, Examine):
        return examine(request, engine.device, engine.method)
    return explainer.answer(request)


def _die_with_parent() -> None:
    """So that a runner that is killed leaves no worker behind."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _deafen_forks(*descriptors: int) -> None:
    """So that a copy that an implementation makes of the process takes and answers no requests."""
    nothing = os.open(os.devnull, os.O_RDWR)

    def deafen() -> None:
        for descriptor in descriptors:
            os.dup2(nothing, descriptor)

    os.register_at_fork(after_in_child=deafen)


def main() -> None:
    """Serve requests from standard input until it ends."""
    _die_with_parent()
    pipe = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    _deafen_forks(sys.stdin.fileno(), pipe)
    encoder = msgspec.json.Encoder()
    with os.fdopen(pipe, "wb") as replies:

        def reply(answer: Reply) -> None:
            replies.write(encoder.encode(answer) + b"\n")
            replies.flush()

        _serve(iter(sys.stdin.buffer.readline, b""), reply)
    os._exit(0)  # all is said; taking PyTorch down in order would take most of a second


if __name__ == "__main__":
    main()
