"""The model's velocity field with ControlNets: a run of its blocks that adds every control's hints.

Letters: b batch, c channels, H W latent size, n tokens, d model width.
"""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from ..._shapes import Float
from ...model import Block, Condition, RunBlock, S3DiT, Stage, VelocityField
from ...model.condition import run_block
from .control import Control
from .network import ControlNet
from .state import ControlState


def controlled_flow(
    dit: S3DiT,
    condition: Condition,
    controls: Sequence[Control],
    sigmas: Iterable[float] = (),
    *,
    run: RunBlock = run_block,
) -> VelocityField:
    """`dit.flow` with controls, whose hints add up; where none is active it equals `dit.flow` bit for bit."""
    for control in controls:
        check_widths(control.network, dit)
    flows: dict[tuple[Control, ...], VelocityField] = {}
    all_sigmas = tuple(sigmas)

    def velocity(x: Float[Tensor, "b c H W"], sigma: float | Tensor) -> Float[Tensor, "b c H W"]:
        level = float(torch.as_tensor(sigma).flatten()[0])  # all items have the same
        active = tuple(control for control in controls if control.is_active(level))
        if active not in flows:
            flows[active] = dit.flow(condition, all_sigmas, run=ControlledRun(active, run) if active else run)
        return flows[active](x, sigma)

    return velocity


def check_widths(network: ControlNet, dit: S3DiT) -> None:
    """Raise `ValueError` for a ControlNet whose widths are not the model's."""
    theirs, ours = network.config, dit.config
    if (theirs.dim, theirs.n_heads, theirs.adaln_dim) != (ours.dim, ours.n_heads, ours.adaln_dim):
        raise ValueError(
            f"This ControlNet is made for a model {theirs.dim} wide with {theirs.n_heads} heads, but the model here is "
            f"{ours.dim} wide with {ours.n_heads}. Use a ControlNet of the same model."
        )


class ControlledRun:
    """A `RunBlock` that adds the controls' hints to the outputs of the model's blocks, which `run` computes.

    It holds the state of one network call, which starts anew with the first block of the noise refiner.
    """

    def __init__(self, controls: Sequence[Control], run: RunBlock = run_block) -> None:
        self.controls = controls
        self.run = run
        self.states: list[ControlState] = []

    def __call__(self, stage: Stage, index: int, block: Block, x: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
        out = unhinted = self.run(stage, index, block, x)
        if stage.name == "noise_refiner":
            if index == 0:
                self.states = [ControlState(control, self.run, stage, x) for control in self.controls]
            for state in self.states:
                out = state.hint_refiner(stage, index, block, unhinted, out)
        elif stage.name == "layers":
            for state in self.states:
                out = state.hint_layers(stage, index, x, out)
        return out
