"""The problems: cases, their ids and costs, axes and sweeps. Imports no torch."""

from gconvbench.cases.axes import AXES, Axis, Value, parse_axis
from gconvbench.cases.case import (
    DIRECTIONS,
    DTYPES,
    MATH_MODES,
    MEMORY_FORMATS,
    OPERATIONS,
    SIGNIFICAND_BITS,
    Case,
)
from gconvbench.cases.cost import flops, min_bytes, parameters, reduction_length
from gconvbench.cases.descriptor import (
    Descriptor,
    case_id,
    case_if_any,
    parse_case,
    parse_descriptor,
)
from gconvbench.cases.sweep import (
    Block,
    Excluded,
    Exclusion,
    Expansion,
    NamedCase,
    Sweep,
    parse_sweep,
)

__all__ = [
    "AXES",
    "DIRECTIONS",
    "DTYPES",
    "MATH_MODES",
    "MEMORY_FORMATS",
    "OPERATIONS",
    "SIGNIFICAND_BITS",
    "Axis",
    "Block",
    "Case",
    "Descriptor",
    "Excluded",
    "Exclusion",
    "Expansion",
    "NamedCase",
    "Sweep",
    "Value",
    "case_id",
    "case_if_any",
    "flops",
    "min_bytes",
    "parameters",
    "parse_axis",
    "parse_case",
    "parse_descriptor",
    "parse_sweep",
    "reduction_length",
]
