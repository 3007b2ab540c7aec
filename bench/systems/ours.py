"""This pack's networks, called as in its own pipeline."""

from typing import cast

import torch
from torch import Tensor, nn

from zimage_core.model import S3DiT, VelocityField
from zimage_core.runtime.cuda_graphs import CapturedNetwork
from zimage_core.sampling import TURBO, Guidance, denoise, shifted_schedule
from zimage_core.text import Qwen3
from zimage_core.vae import Autoencoder

from ..random_weights import Inputs, Weights
from ..runner import Run, isolated_block
from ..variants import BLOCK_PARTS, DEFAULT_VARIANT, VARIANTS, Variant
from ..workloads import CFG


class Ours:
    """This pack's networks loaded with the shared weights, in one variant."""

    def __init__(self, weights: Weights, variant: Variant = DEFAULT_VARIANT, name: str = "ours") -> None:
        self.name = name
        self.variant = variant
        self.weights = weights
        self.captured_networks: list[CapturedNetwork] = []

    def release(self) -> None:
        """Free the captured CUDA graphs and their buffers."""
        for network in self.captured_networks:
            network.steps.drop()

    def block(self, inputs: Inputs) -> Run:
        dit = self._dit()
        run = isolated_block(dit.layers[0], lambda: self._velocity(dit, inputs)())
        return lambda: run(inputs.tokens)

    def transformer(self, inputs: Inputs) -> Run:
        return self._velocity(self._dit(), inputs)

    def forward(self, inputs: Inputs) -> Run:
        """The plain forward, which prepares the condition on every call, as the other systems do."""
        dit = self._dit()
        sigma = torch.full((len(inputs.latents),), inputs.sigma, device=inputs.latents.device)
        guidance = Guidance(cfg=CFG if inputs.workload.guided else 1.0)

        def run() -> Tensor:
            positive = cast(Tensor, dit(inputs.latents, sigma, inputs.captions))
            if not inputs.workload.guided:
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
        sigmas = shifted_schedule(inputs.workload.steps, TURBO.shift)
        guidance = Guidance(cfg=CFG if inputs.workload.guided else 1.0)

        def flow(prompts: list[list[int]]) -> VelocityField:
            condition = dit.prepare(encoder.encode(prompts), inputs.workload.latent_size)
            return dit.flow(condition, sigmas.tolist(), network=network)

        def run() -> Tensor:
            positive = flow(inputs.prompts)
            negative = flow(inputs.negative_prompts) if inputs.workload.guided else None
            latents = inputs.latents
            for step in denoise(positive, inputs.latents, sigmas, negative=negative, guidance=guidance):
                latents = step.x
            return vae.decode(latents.to(inputs.latents.dtype)).clamp(-1, 1)

        return run

    def _velocity(self, dit: S3DiT, inputs: Inputs) -> Run:
        guidance = Guidance(cfg=CFG if inputs.workload.guided else 1.0)
        size, sigma, network = inputs.workload.latent_size, inputs.sigma, self._network(dit, inputs)
        positive = dit.flow(dit.prepare(inputs.captions, size), [sigma], network=network)
        if not inputs.workload.guided:
            return lambda: positive(inputs.latents, sigma)
        negative = dit.flow(dit.prepare(inputs.negatives, size), [sigma], network=network)
        return lambda: guidance(positive(inputs.latents, sigma), negative(inputs.latents, sigma))

    def _network(self, dit: S3DiT, inputs: Inputs) -> CapturedNetwork | None:
        """The network captured as CUDA graphs if the variant requires it and runs on a GPU; None means eager."""
        if not self.variant.is_captured or not inputs.latents.is_cuda:
            return None
        self.captured_networks.append(CapturedNetwork(dit))
        return self.captured_networks[-1]

    def _dit(self) -> S3DiT:
        return cast(S3DiT, self._with_weights(S3DiT(self.weights.setup.dit, device="meta"), self.weights.dit))

    def _text(self) -> Qwen3:
        network = Qwen3(self.weights.setup.text, device="meta")
        needed = {key: self.weights.text[key] for key in network.state_dict()}
        return cast(Qwen3, self._with_weights(network, needed))

    def _vae(self) -> Autoencoder:
        network = Autoencoder(self.weights.setup.vae, device="meta")
        del network.encoder  # only decoding is measured
        return cast(Autoencoder, self._with_weights(network, self.weights.vae))

    def _with_weights(self, network: nn.Module, state: dict[str, Tensor]) -> nn.Module:
        network.load_state_dict(state, assign=True)
        return self.variant.prepare(network.requires_grad_(False).eval())


class OursInt8(Ours):
    """Ours with the transformer's main layers in int8."""

    parts = BLOCK_PARTS

    def __init__(self, weights: Weights) -> None:
        super().__init__(weights, VARIANTS["int8"], "ours, int8 (lossy)")
