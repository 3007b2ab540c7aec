"""This pack, as its own pipeline calls it."""

from typing import cast

import torch
from torch import Tensor, nn

from zimage_core.model import S3DiT, VelocityField
from zimage_core.runtime.cuda_graphs import CapturedNetwork
from zimage_core.sampling import TURBO, Guidance, denoise, shifted_schedule
from zimage_core.text import Qwen3
from zimage_core.vae import Autoencoder

from ..cells import CFG
from ..contest import Run, captured
from ..random_weights import Inputs, Weights
from ..variants import PLAIN, Variant


class Ours:
    """Our networks holding the shared weights, as one variant has them."""

    def __init__(self, weights: Weights, variant: Variant = PLAIN, name: str = "ours") -> None:
        self.name = name
        self.variant = variant
        self.weights = weights
        self.captured_networks: list[CapturedNetwork] = []

    def forget(self) -> None:
        """Give back what steps keep for the next."""
        for network in self.captured_networks:
            network.steps.drop()

    def block(self, inputs: Inputs) -> Run:
        dit = self._dit()
        run = captured(dit.layers[0], lambda: self._velocity(dit, inputs)())
        return lambda: run(inputs.tokens)

    def transformer(self, inputs: Inputs) -> Run:
        return self._velocity(self._dit(), inputs)

    def forward(self, inputs: Inputs) -> Run:
        """The plain call, which prepares its captions every time, as peers do."""
        dit = self._dit()
        sigma = torch.full((len(inputs.latents),), inputs.sigma, device=inputs.latents.device)
        guidance = Guidance(cfg=CFG if inputs.cell.guided else 1.0)

        def run() -> Tensor:
            positive = cast(Tensor, dit(inputs.latents, sigma, inputs.captions))
            if not inputs.cell.guided:
                return positive
            return guidance(positive, cast(Tensor, dit(inputs.latents, sigma, inputs.negatives)))

        return run

    def text(self, inputs: Inputs) -> Run:
        encoder = self._text()
        return lambda: torch.cat(encoder.encode(inputs.prompts))

    def decode(self, inputs: Inputs) -> Run:
        vae = self._vae()
        return lambda: vae.decode(inputs.latents)

    def picture(self, inputs: Inputs) -> Run:
        encoder, dit, vae = self._text(), self._dit(), self._vae()
        network = self._network(dit, inputs)
        sigmas = shifted_schedule(inputs.cell.steps, TURBO.shift)
        guidance = Guidance(cfg=CFG if inputs.cell.guided else 1.0)

        def flow(prompts: list[list[int]]) -> VelocityField:
            condition = dit.prepare(encoder.encode(prompts), inputs.cell.cells)
            return dit.flow(condition, sigmas.tolist(), network=network)

        def run() -> Tensor:
            positive = flow(inputs.prompts)
            negative = flow(inputs.negative_prompts) if inputs.cell.guided else None
            latents = inputs.latents
            for step in denoise(positive, inputs.latents, sigmas, negative=negative, guidance=guidance):
                latents = step.x
            return vae.decode(latents.to(inputs.latents.dtype)).clamp(-1, 1)

        return run

    def _velocity(self, dit: S3DiT, inputs: Inputs) -> Run:
        guidance = Guidance(cfg=CFG if inputs.cell.guided else 1.0)
        size, sigma, network = inputs.cell.cells, inputs.sigma, self._network(dit, inputs)
        positive = dit.flow(dit.prepare(inputs.captions, size), [sigma], network=network)
        if not inputs.cell.guided:
            return lambda: positive(inputs.latents, sigma)
        negative = dit.flow(dit.prepare(inputs.negatives, size), [sigma], network=network)
        return lambda: guidance(positive(inputs.latents, sigma), negative(inputs.latents, sigma))

    def _network(self, dit: S3DiT, inputs: Inputs) -> CapturedNetwork | None:
        """The network captured as CUDA graphs, where the variant asks for it on a GPU; None is the eager one."""
        if not self.variant.is_captured or not inputs.latents.is_cuda:
            return None
        self.captured_networks.append(CapturedNetwork(dit))
        return self.captured_networks[-1]

    def _dit(self) -> S3DiT:
        return cast(S3DiT, self._holding(S3DiT(self.weights.setup.dit, device="meta"), self.weights.dit))

    def _text(self) -> Qwen3:
        network = Qwen3(self.weights.setup.text, device="meta")
        needed = {key: self.weights.text[key] for key in network.state_dict()}
        return cast(Qwen3, self._holding(network, needed))

    def _vae(self) -> Autoencoder:
        network = Autoencoder(self.weights.setup.vae, device="meta")
        del network.encoder  # only decoding is measured
        return cast(Autoencoder, self._holding(network, self.weights.vae))

    def _holding(self, network: nn.Module, state: dict[str, Tensor]) -> nn.Module:
        network.load_state_dict(state, assign=True)
        return self.variant.prepare(network.requires_grad_(False).eval())
