"""The convolutions as a benchmark of asv, all of whose settings are its own."""

from typing import ClassVar

from convolutions import chosen, launch


class Convolutions:
    """One parameter: the convolution."""

    params: ClassVar = chosen()
    param_names: ClassVar = ["convolution"]

    def setup(self, name: str) -> None:
        """Make the operands, or take those that were made: asv calls this before every sample."""
        self.launch = launch(name)

    def time_forward(self, _name: str) -> None:
        """What is timed."""
        self.launch()
