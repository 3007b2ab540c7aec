"""Weight deltas: LoRA, LoHa, LoKr, DoRA, OFT, BOFT, GLoRA, full differences and new values.

A delta is what an adapter file holds for one weight W. Every kind has

- `change(weight, strength)`: what a strength adds to a float32 weight, computed in float32 from the file's own tensors;
  it is strength · dW but for rotations, which follow ComfyUI;
- `rows(start, stop)`: the delta of some of the weight's rows.

Kinds whose dW does not depend on W (`Additive`) also have `matrix()`, that dW, and `apply(x)` = x @ dW.T, which a
side branch adds to the output of a layer whose weight must stay as it is.
"""

from .additive import Additive
from .delta import Delta, tensors_of, to_device, with_tensors
from .dora import DoRA
from .full import FullDifference, SetWeight
from .glora import GLoRA, glora_of_file
from .low_rank import LowRank
from .lycoris import LoHa, LoKr
from .orthogonal import BOFT, OFT

__all__ = [
    "BOFT",
    "OFT",
    "Additive",
    "Delta",
    "DoRA",
    "FullDifference",
    "GLoRA",
    "LoHa",
    "LoKr",
    "LowRank",
    "SetWeight",
    "glora_of_file",
    "tensors_of",
    "to_device",
    "with_tensors",
]
