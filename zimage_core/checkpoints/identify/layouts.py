"""Key layouts as two-way rule tables.

"Ours" is the layout of the single files artists have on disk, which is also what the networks call their parameters;
"theirs" is a published alternative. A rule rewrites a whole state dict in either direction; a layout applies its rules
in order on the way in, and backwards on the way out.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

State = Mapping[str, Tensor]


@runtime_checkable
class Rule(Protocol):
    """One reversible change to a state dict."""

    def to_ours(self, state: State) -> dict[str, Tensor]: ...
    def to_theirs(self, state: State) -> dict[str, Tensor]: ...


@dataclass(frozen=True)
class Rename:
    """Keys of the form `theirs` are called `ours`; each `*` stands for the same text on both sides."""

    theirs: str
    ours: str

    def to_ours(self, state: State) -> dict[str, Tensor]:
        return {rewrite(key, self.theirs, self.ours): tensor for key, tensor in state.items()}

    def to_theirs(self, state: State) -> dict[str, Tensor]:
        return {rewrite(key, self.ours, self.theirs): tensor for key, tensor in state.items()}


@dataclass(frozen=True)
class Stack:
    """Our rows are several of their matrices on top of each other, in this order."""

    theirs: tuple[str, ...]
    ours: str

    def to_ours(self, state: State) -> dict[str, Tensor]:
        out = dict(state)
        for key in state:
            ours = rewrite(key, self.theirs[0], self.ours)
            parts = [rewrite(ours, self.ours, theirs) for theirs in self.theirs]
            if ours != key and all(part in out for part in parts):
                out[ours] = torch.cat([out.pop(part) for part in parts])
        return out

    def to_theirs(self, state: State) -> dict[str, Tensor]:
        out: dict[str, Tensor] = {}
        for key, tensor in state.items():
            parts = [rewrite(key, self.ours, theirs) for theirs in self.theirs]
            if parts[0] == key:
                out[key] = tensor
            else:
                chunks = tensor.chunk(len(parts))
                out.update({part: chunk.contiguous() for part, chunk in zip(parts, chunks, strict=True)})
        return out


@dataclass(frozen=True)
class Convolve:
    """Our 1x1 convolution is their plain matrix. The key is ours already."""

    ours: str

    def to_ours(self, state: State) -> dict[str, Tensor]:
        return {
            key: tensor[..., None, None] if self._matches(key) and tensor.ndim == 2 else tensor
            for key, tensor in state.items()
        }

    def to_theirs(self, state: State) -> dict[str, Tensor]:
        return {key: tensor[..., 0, 0] if self._matches(key) else tensor for key, tensor in state.items()}

    def _matches(self, key: str) -> bool:
        return rewrite(key, self.ours, "") != key


def rewrite(key: str, old: str, new: str) -> str:
    """The key with pattern `old` replaced by `new`, or the key itself where it does not match."""
    match = re.fullmatch(re.escape(old).replace(r"\*", "(.*)"), key)
    if match is None:
        return key
    wild = iter(match.groups())
    return "".join(next(wild) if piece == "*" else piece for piece in re.split(r"(\*)", new))


@dataclass(frozen=True)
class Layout:
    """A published key layout, recognised by one key that only it has."""

    name: str
    marker: str
    rules: tuple[Rule, ...] = ()

    def to_ours(self, state: State) -> dict[str, Tensor]:
        """A state dict of this layout under the networks' own names."""
        for rule in self.rules:
            state = rule.to_ours(state)
        return dict(state)

    def to_theirs(self, state: State) -> dict[str, Tensor]:
        """Our state dict in this layout, ready to be saved."""
        for rule in reversed(self.rules):
            state = rule.to_theirs(state)
        return dict(state)


ATTENTION: tuple[Rule, ...] = (
    Rename("*.attention.norm_q.weight", "*.attention.q_norm.weight"),
    Rename("*.attention.norm_k.weight", "*.attention.k_norm.weight"),
    Rename("*.attention.to_out.0.*", "*.attention.out.*"),
    Stack(("*.attention.to_q.*", "*.attention.to_k.*", "*.attention.to_v.*"), "*.attention.qkv.*"),
)

DIT_SINGLE_FILE = Layout("single file", marker="layers.0.attention.qkv.weight")

DIT_DIFFUSERS = Layout(
    "diffusers",
    marker="layers.0.attention.to_q.weight",
    rules=(
        Rename("all_x_embedder.2-1.*", "x_embedder.*"),
        Rename("all_final_layer.2-1.*", "final_layer.*"),
        *ATTENTION,
    ),
)

CONTROL_EMBEDDER = Rename("control_all_x_embedder.2-1.*", "control_x_embedder.*")

CONTROL_PUBLISHED = Layout(
    "diffusers", marker="control_layers.0.attention.to_q.weight", rules=(CONTROL_EMBEDDER, *ATTENTION)
)

CONTROL_FUSED = Layout(  # as ComfyUI holds it, with one matrix for q, k and v
    "single file", marker="control_layers.0.attention.qkv.weight", rules=(CONTROL_EMBEDDER,)
)

TEXT_PUBLISHED = Layout("transformers", marker="model.layers.0.self_attn.q_norm.weight")

TEXT_LLAMA_CPP = Layout(  # gguf-py, tensor_mapping.py; rows of q and k stand as they were, Qwen3 needs no permutation
    "llama.cpp",
    marker="blk.0.attn_q_norm.weight",
    rules=(
        Rename("token_embd.*", "model.embed_tokens.*"),
        Rename("output_norm.*", "model.norm.*"),
        Rename("output.*", "lm_head.*"),
        Rename("blk.*.attn_norm.*", "model.layers.*.input_layernorm.*"),
        Rename("blk.*.ffn_norm.*", "model.layers.*.post_attention_layernorm.*"),
        *(Rename(f"blk.*.attn_{name}_norm.*", f"model.layers.*.self_attn.{name}_norm.*") for name in "qk"),
        *(Rename(f"blk.*.attn_{name}.*", f"model.layers.*.self_attn.{name}_proj.*") for name in "qkv"),
        Rename("blk.*.attn_output.*", "model.layers.*.self_attn.o_proj.*"),
        *(Rename(f"blk.*.ffn_{name}.*", f"model.layers.*.mlp.{name}_proj.*") for name in ("gate", "up", "down")),
    ),
)

VISION_MODULES = ("embeddings", "encoder", "post_layernorm", "head")

VISION_PUBLISHED = Layout("transformers", marker="vision_model.embeddings.patch_embedding.weight")

VISION_BARE = Layout(  # as transformers 5 saves the tower by itself
    "transformers 5",
    marker="embeddings.patch_embedding.weight",
    rules=tuple(Rename(f"{name}.*", f"vision_model.{name}.*") for name in VISION_MODULES),
)

VAE_SINGLE_FILE = Layout("single file", marker="decoder.up.0.block.0.norm1.weight")

VAE_DIFFUSERS = Layout(
    "diffusers",
    marker="decoder.up_blocks.0.resnets.0.norm1.weight",
    rules=(
        *(Rename(f"*.mid_block.resnets.{index}.*", f"*.mid.block_{index + 1}.*") for index in range(2)),
        Rename("*.mid_block.attentions.0.group_norm.*", "*.mid.attn_1.norm.*"),
        Rename("*.mid_block.attentions.0.to_out.0.*", "*.mid.attn_1.proj_out.*"),
        *(Rename(f"*.mid_block.attentions.0.to_{name}.*", f"*.mid.attn_1.{name}.*") for name in "qkv"),
        *(Convolve(f"*.mid.attn_1.{name}.weight") for name in ("q", "k", "v", "proj_out")),
        Rename("encoder.down_blocks.*", "encoder.down.*"),
        *(Rename(f"decoder.up_blocks.{3 - level}.*", f"decoder.up.{level}.*") for level in range(4)),
        Rename("*.resnets.*", "*.block.*"),
        Rename("*.downsamplers.0.conv.*", "*.downsample.conv.*"),
        Rename("*.upsamplers.0.conv.*", "*.upsample.conv.*"),
        Rename("*.conv_shortcut.*", "*.nin_shortcut.*"),
        Rename("*.conv_norm_out.*", "*.norm_out.*"),
    ),
)
