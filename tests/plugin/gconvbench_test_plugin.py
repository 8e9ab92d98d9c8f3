"""Implementations from outside the package, most of them ill-behaved."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import time
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812

from gconvbench.implementations import Implementation

if TYPE_CHECKING:
    from torch import Tensor

    from gconvbench.cases import Case
    from gconvbench.implementations import Launch, Operands


class _Native(Implementation):
    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return F.conv2d(x, weight, bias, case.stride, case.padding, case.dilation, case.groups)


class Chatty(_Native):
    name = "chatty"
    idea = "prints to standard output, from Python and from the file descriptor"

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        print('{"type": "Measured"}')
        os.write(1, b"not JSON\n")
        return super().forward(case, x, weight, bias)


class Segfaulting(_Native):
    name = "segfaulting"
    idea = "reads address 0"

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctypes.string_at(0)
        raise AssertionError


class Hanging(_Native):
    name = "hanging"
    idea = "never returns and ignores SIGTERM"

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            time.sleep(60)


class HangingWhenAsked(_Native):
    name = "hanging_when_asked"
    idea = "never says what it supports"

    def why_unsupported(self, case: Case, device: str) -> str | None:
        while True:
            time.sleep(60)


class LeavingWhenAsked(_Native):
    name = "leaving_when_asked"
    idea = "ends the process when asked what it supports"

    def why_unsupported(self, case: Case, device: str) -> str | None:
        os._exit(3)


class Choosy(_Native):
    name = "choosy"
    idea = "supports nothing"

    def why_unsupported(self, case: Case, device: str) -> str | None:
        return "not in the mood"


class Garbling(_Native):
    name = "garbling"
    idea = "writes to every open file"

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        for descriptor in range(3, 40):
            with contextlib.suppress(OSError):
                os.write(descriptor, b"not JSON\n")
        return super().forward(case, x, weight, bias)


class Stale(_Native):
    name = "stale"
    idea = "computes once and hands out copies"

    def launch(self, case: Case, operands: Operands) -> Launch:
        results = super().launch(case, operands)()
        return lambda: tuple(result.clone() for result in results)


class Hungry(_Native):
    name = "hungry"
    idea = "asks for more memory than there is"

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return torch.empty(1 << 50, dtype=torch.uint8)


class Raising(_Native):
    name = "raising"
    idea = "raises"

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        message = "the cat sat on the kernel\nand on its second line"
        raise ValueError(message)


class Wrong(_Native):
    name = "wrong"
    idea = "one per cent too large"

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return super().forward(case, x, weight, bias) * 1.01


class WrongShape(_Native):
    name = "wrong_shape"
    idea = "forgets the last row"

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return super().forward(case, x, weight, bias)[:, :, :-1]


class WrongDtype(_Native):
    name = "wrong_dtype"
    idea = "returns double precision"

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return super().forward(case, x, weight, bias).double()


class WrongDevice(_Native):
    name = "wrong_device"
    idea = "leaves its output on another device"

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return super().forward(case, x, weight, bias).to("meta")


class NoTuple(_Native):
    name = "no_tuple"
    idea = "returns its output bare"

    def launch(self, case: Case, operands: Operands) -> Launch:
        launch = super().launch(case, operands)
        return lambda: launch()[0]  # type: ignore[return-value]


class ChangingInput(_Native):
    name = "changing_input"
    idea = "doubles its input once it has its output"

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        y = super().forward(case, x, weight, bias)
        x.mul_(2)
        return y


class NotAnImplementation:
    """Lacks everything."""


class Impostor(_Native):
    name = "native"
    idea = "takes a name that is in use"


class TellingItsCores(_Native):
    name = "telling_its_cores"
    idea = "raises with the cores that it may run on"

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        raise ValueError(str(sorted(os.sched_getaffinity(0))))
