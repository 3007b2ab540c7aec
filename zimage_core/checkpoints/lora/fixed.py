"""What keeps a LoRA from changing its strength between steps, told by its file's header alone, before it is loaded."""

from collections.abc import Mapping

from ..formats.header import TensorEntry
from .keys import split_ending, targets_of
from .row_strength import Strength

KINDS = {  # of changes that depend on the weight they change, by the role of a tensor that shows them
    "magnitude": "DoRA",
    "oft_blocks": "OFT",
    **dict.fromkeys(("a1", "a2", "b1", "b2"), "GLoRA"),
    "set_weight": "replacement",
}


def fixed_part(tensors: Mapping[str, TensorEntry], strength: Strength) -> str:
    """The kind of change, or else the parameter, whose strength must stay the same in all steps; "" if none.

    Blocks whose factor is 0 in `strength` do not count.
    """
    kinds: set[str] = set()
    parameters: set[str] = set()
    for key, entry in tensors.items():
        module, role = split_ending(key) or ("", "")
        for target in targets_of(module):
            if not strength.factor_of(target.parameter):
                continue
            if role in KINDS:
                kinds.add(KINDS[role])
            elif role == "diff_b":
                parameters.add(target.parameter.removesuffix("weight") + "bias")
            elif "." not in target.parameter or (role == "diff" and len(entry.shape) < 2):  # pad tokens, norms
                parameters.add(target.parameter)
    return min(kinds or parameters, default="")
