"""Prompts of unequal padded lengths in one call, for nodes that compare prompts inside attention, as NAG does.

Such a node needs the positive and the negative prompt in one tensor. Captions are refined length by length, as if
alone; then the shorter ones are filled up behind their last token, and a mask hides the fill from the layers' attention
(the refiner of the picture's tokens sees no caption). Without such a node prompts of other lengths run one after
another, which takes no mask.

Letters: b batch, n m tokens, d model width.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from ....zimage_core.model import Condition
from ....zimage_core.model.sequence import padded_length

COMPARING = ("attn1_patch", "attn1_output_patch")  # ComfyUI's names of patches around attention


def compares_prompts(model_options: dict[str, Any]) -> bool:
    """Whether a node patched a MODEL's attention, so that it may compare prompts there."""
    patches = model_options.get("transformer_options", {}).get("patches", {})
    return any(patches.get(name) for name in COMPARING)


def prepare_together(prepare: Callable[[Sequence[Tensor]], Condition], captions: Sequence[Tensor]) -> Condition:
    """The condition of captions (n, f), whatever their lengths; `prepare` takes those of one padded length."""
    groups: defaultdict[int, list[int]] = defaultdict(list)
    for item, caption in enumerate(captions):
        groups[token_count(len(caption))].append(item)
    if len(groups) == 1:
        return prepare(captions)
    longest = max(groups)
    parts: dict[int, Condition] = {}
    for items in groups.values():
        condition = prepare([captions[item] for item in items])
        parts |= {item: filled(condition, index, longest) for index, item in enumerate(items)}
    return stacked([parts[item] for item in range(len(captions))])


def stacked(items: Sequence[Condition]) -> Condition:
    """Conditions of single items, filled to one length, as one batch."""
    return Condition(
        torch.cat([item.caption for item in items]),
        items[0].size,
        image_rope=torch.cat([item.image_rope for item in items]),
        joint_rope=torch.cat([item.joint_rope for item in items]),
    )


def filled(condition: Condition, index: int, longest: int) -> Condition:
    """One item of a condition, its caption filled with zeros to `longest` tokens, and its own rope tables."""
    caption, rope = condition.caption[index : index + 1], condition.joint_rope
    length = caption.shape[1]
    fill = rope[:, :1].expand(-1, longest - length, *rope.shape[2:])  # any rotation: nobody attends to these tokens
    return Condition(
        pad(caption, (0, 0, 0, longest - length)),
        condition.size,
        image_rope=condition.image_rope,
        joint_rope=torch.cat((rope[:, :length], fill, rope[:, length:]), dim=1),
    )


def hidden_fill(counts: Sequence[int], condition: Condition) -> Tensor | None:
    """What to add to the attention scores (b, 1, m, m) of the joint sequence; None where nothing is filled.

    `counts` are the items' caption tokens with their pads.
    """
    longest, n_joint = condition.caption.shape[1], condition.joint_rope.shape[1]
    if min(counts) == longest:
        return None
    dtype = condition.caption.dtype
    scores = condition.caption.new_zeros(len(counts), 1, 1, n_joint)
    for item, count in enumerate(counts):
        scores[item, ..., count:longest] = torch.finfo(dtype).min
    return scores.expand(-1, -1, n_joint, -1)  # one row in memory


def token_count(length: int) -> int:
    """Tokens of a caption with its pads; an empty one has 32."""
    return padded_length(max(1, length))
