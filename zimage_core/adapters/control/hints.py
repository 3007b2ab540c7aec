"""Runs Fun ControlNets beside a model: what a control sees, and where its hints go.

Published implementations disagree on 2.0 and 2.1; all three are here under their names.

- "author" (VideoX-Fun): control blocks see every token, the caption's and the pads too, and hint to all of them, in the
  model's refiner as well as in its layers.
- "diffusers" (0.42.1): the refiner's hints reach only a private copy of the picture's tokens, on which the control
  layers lean; the model's own refiner gets none. Nothing else differs, so 1.0 is the author's.
- "comfyui" (0.30.0): as the author, but control blocks see and reach only the picture's real tokens.

Letters: b batch, r control pictures (1 or b), c channels, n m tokens, d model width.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from ..._shapes import Float
from ...model import Block, Condition, RunBlock, S3DiT, Stage, VelocityField
from ...model.condition import run_block
from ...model.sequence import padded_length
from .network import ControlBlock, ControlNet

Computation = Literal["author", "diffusers", "comfyui"]

DEFAULT_STRENGTH = 0.8  # the model cards recommend 0.65 to 0.80 for 1.0 and 0.65 to 0.90 for 2.x


class Span(NamedTuple):
    """Noise levels from `start` down to `end`, both included."""

    start: float = 1.0
    end: float = 0.0

    def covers(self, sigma: float) -> bool:
        """Whether a noise level in [0, 1] lies inside."""
        return self.end <= sigma <= self.start


ALWAYS = Span()


@dataclass(frozen=True, eq=False, kw_only=True)
class Control:
    """One ControlNet with its picture."""

    network: ControlNet
    tokens: Float[Tensor, "r n d"]  # network.embed(context), made once
    strength: float = DEFAULT_STRENGTH
    span: Span = ALWAYS
    computation: Computation = "author"

    def is_active(self, sigma: float) -> bool:
        """Whether the ControlNet has to run at all at this noise level."""
        return self.strength != 0 and self.span.covers(sigma)


def controlled_flow(
    dit: S3DiT,
    condition: Condition,
    controls: Sequence[Control],
    sigmas: Iterable[float] = (),
    *,
    run: RunBlock = run_block,
) -> VelocityField:
    """`dit.flow` with controls, several of which add up; where none is active it is `dit.flow`, bit for bit."""
    for control in controls:
        check_widths(control.network, dit)
    flows: dict[tuple[Control, ...], VelocityField] = {}
    known = tuple(sigmas)

    def velocity(x: Float[Tensor, "b c H W"], sigma: float | Tensor) -> Float[Tensor, "b c H W"]:
        level = float(torch.as_tensor(sigma).flatten()[0])  # one for all items
        active = tuple(control for control in controls if control.is_active(level))
        if active not in flows:
            flows[active] = dit.flow(condition, known, run=Controlled(active, run) if active else run)
        return flows[active](x, sigma)

    return velocity


def check_widths(network: ControlNet, dit: S3DiT) -> None:
    """Refuse a ControlNet of another model."""
    theirs, ours = network.config, dit.config
    if (theirs.dim, theirs.n_heads, theirs.adaln_dim) != (ours.dim, ours.n_heads, ours.adaln_dim):
        raise ValueError(
            f"This ControlNet is made for a model {theirs.dim} wide with {theirs.n_heads} heads, but the model here is "
            f"{ours.dim} wide with {ours.n_heads}. Use a ControlNet of the same model."
        )


class Controlled:
    """Runs a model's blocks as `run` does and adds what the controls say. One evaluation at a time."""

    def __init__(self, controls: Sequence[Control], run: RunBlock = run_block) -> None:
        self.controls = controls
        self.run = run
        self.streams: list[Stream] = []

    def __call__(self, stage: Stage, index: int, block: Block, x: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
        out = plain = self.run(stage, index, block, x)
        if stage.name == "noise_refiner":
            if index == 0:
                self.streams = [Stream(control, self.run, stage, x) for control in self.controls]
            for stream in self.streams:
                out = stream.refine(stage, index, block, plain, out)
        elif stage.name == "layers":
            for stream in self.streams:
                out = stream.hint(stage, index, x, out)
        return out


class Stream:
    """One control's tokens on their way through one evaluation."""

    def __init__(self, control: Control, run: RunBlock, stage: Stage, x: Float[Tensor, "b n d"]) -> None:
        n_patches = control.tokens.shape[1]
        if padded_length(n_patches) != x.shape[1]:
            raise ValueError(
                f"the control covers {n_patches} patches where the model draws {x.shape[1]} tokens; make it of the "
                "latent's size, and give no reference images beside a control"
            )
        self.control, self.run, self.network = control, run, control.network
        self.n_picture = x.shape[1]
        self.n_real = n_patches
        self.is_partial = control.computation == "comfyui"
        self.private: Tensor | None = None  # diffusers' own copy of the picture's tokens
        tokens = control.tokens.to(x).expand(len(x), -1, -1)
        self.state = tokens if self.is_partial else torch.cat((tokens, x[:, n_patches:]), dim=1)  # the model's pads
        self.hints = self._refine(stage, x)
        self.joint = stage  # the stage and anchor of the control layers, once the joint sequence is there
        self.anchor = x

    def refine(
        self, stage: Stage, index: int, block: Block, plain: Float[Tensor, "b n d"], out: Float[Tensor, "b n d"]
    ) -> Float[Tensor, "b n d"]:
        """The tokens behind block `index` of the model's refiner with this hint; `plain` are those without any."""
        if not self.hints:
            return out
        hint = self.hints[index] if index < len(self.hints) else None
        if self.control.computation != "diffusers":
            return out if hint is None else self._added(out, hint, 0)
        # up to the first hint the copy is the model's own; its name keeps patches of the model's refiner away from it
        copy = stage._replace(name="control_noise_refiner")
        private = plain if self.private is None else self.run(copy, index, block, self.private)
        self.private = private if hint is None else self._added(private, hint, 0)
        return out

    def hint(
        self, stage: Stage, index: int, x: Float[Tensor, "b m d"], out: Float[Tensor, "b m d"]
    ) -> Float[Tensor, "b m d"]:
        """The model's joint sequence behind layer `index`, with the hints that belong there."""
        start = x.shape[1] - self.n_picture
        if index == 0:
            self._join(stage, x, start)
        layers = self.network.control_layers
        for place, (number, layer) in zip(
            self.network.config.places(len(stage.norm_scales)), enumerate(layers), strict=True
        ):
            if place == index:
                self._advance(self.joint, number, layer, self.anchor)
                out = self._added(out, layer.after_proj(self.state), start)
        return out

    def _refine(self, stage: Stage, x: Float[Tensor, "b n d"]) -> list[Tensor]:
        """Run what comes before the control layers; the hints for the model's refiner, which lean on its input."""
        rope = stage.rope[:, : self.state.shape[1]]
        blocks = self.network.hinting_refiner
        if blocks is None:
            own = self._stage(stage, rope, self.network.control_noise_refiner)
            for index, block in enumerate(self.network.control_noise_refiner):
                self.state = self.run(own, index, block, self.state)
            return []
        own = self._stage(stage, rope, blocks)
        hints: list[Tensor] = []
        for index, block in enumerate(blocks):
            self._advance(own, index, block, x[:, : self.state.shape[1]])
            if index < len(stage.norm_scales):
                hints.append(block.after_proj(self.state))
        return hints

    def _join(self, stage: Stage, x: Float[Tensor, "b m d"], start: int) -> None:
        """Put the refined caption before the control's tokens, as in the model's sequence."""
        if self.is_partial:
            seen = slice(start, start + self.n_real)
            self.anchor, rope = x[:, seen], stage.rope[:, seen]
        else:
            self.state = torch.cat((x[:, :start], self.state), dim=1)
            self.anchor = x if self.private is None else torch.cat((x[:, :start], self.private), dim=1)
            rope = stage.rope
        self.hints, self.private = [], None  # they have been heard
        self.joint = self._stage(stage, rope, self.network.control_layers)

    def _advance(self, stage: Stage, index: int, block: ControlBlock, anchor: Float[Tensor, "b n d"]) -> None:
        if index == 0:
            self.state = block.before_proj(self.state) + anchor
        self.state = self.run(stage, index, block, self.state)

    def _stage(self, stage: Stage, rope: Tensor, blocks: Iterable[Block]) -> Stage:
        """The control blocks' own norm scales of the same time."""
        assert stage.time is not None
        time = stage.time
        return Stage(
            "control_layers", rope, [block.modulated(block.norm_weights(time), time) for block in blocks], time
        )

    def _added(self, x: Float[Tensor, "b n d"], hint: Float[Tensor, "b m d"], start: int) -> Float[Tensor, "b n d"]:
        """The hint, times its strength, on the tokens it is for."""
        hint = hint * self.control.strength
        if not self.is_partial:
            return x + hint
        end = start + self.n_real
        return torch.cat((x[:, :start], x[:, start:end] + hint, x[:, end:]), dim=1)
