"""diffusers and transformers, called as in diffusers' own pipeline.

Letters: b batch, n tokens, d model width.

"diffusers" uses the default settings after `from_pretrained`. "diffusers, best" uses the fast settings documented for
GPUs: attention by cuDNN or FlashAttention 3, and regional compilation.
"""

import importlib.util
from typing import Any

import torch
from torch import Tensor

from zimage_core.config import MAX_CAPTION_TOKENS
from zimage_core.sampling import TURBO

from ..random_weights import Inputs, Weights
from ..runner import Run, isolated_block
from ..workloads import CFG
from .diffusers_networks import build_autoencoder, build_text_encoder, build_transformer, diffusers


class Diffusers:
    """diffusers' networks loaded with the shared weights."""

    def __init__(self, weights: Weights, *, is_best: bool = False) -> None:
        self.name = "diffusers, best" if is_best else "diffusers"
        self.is_best = is_best
        self.weights = weights

    def block(self, inputs: Inputs) -> Run:
        dit = self._dit()
        run = isolated_block(dit.layers[0], self._velocity(dit, inputs))
        caption = inputs.workload.caption_tokens
        image_first = torch.cat(
            (inputs.tokens[:, caption:], inputs.tokens[:, :caption]), dim=1
        )  # diffusers puts image tokens first
        n_image = image_first.shape[1] - caption

        def reordered() -> Tensor:
            out = run(image_first)
            return torch.cat((out[:, n_image:], out[:, :n_image]), dim=1)

        return reordered

    def transformer(self, inputs: Inputs) -> Run:
        return self._velocity(self._dit(), inputs)

    def text(self, inputs: Inputs) -> Run:
        encoder = self._text()
        return lambda: torch.cat(encode(encoder, inputs.prompts))

    def unpadded_text(self, inputs: Inputs) -> Run:
        """Prompt embeddings computed without padding, for the reference result."""
        encoder = self._text()
        return lambda: torch.cat([encode(encoder, [prompt], len(prompt))[0] for prompt in inputs.prompts])

    def decode(self, inputs: Inputs) -> Run:
        vae, config = self._vae(), self.weights.setup.vae
        return lambda: vae.decode(inputs.latents / config.scaling_factor + config.shift_factor, return_dict=False)[0]

    def picture(self, inputs: Inputs) -> Run:
        encoder, height, width = self._text(), inputs.workload.size[1], inputs.workload.size[0]
        scheduler = diffusers.FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000, shift=TURBO.shift)
        pipeline = diffusers.ZImagePipeline(
            transformer=self._dit(), vae=self._vae(), text_encoder=None, tokenizer=None, scheduler=scheduler
        )
        pipeline.set_progress_bar_config(disable=True)

        def run() -> Tensor:
            return pipeline(
                prompt_embeds=encode(encoder, inputs.prompts),
                negative_prompt_embeds=encode(encoder, inputs.negative_prompts) if inputs.workload.guided else None,
                latents=inputs.latents.float(),
                height=height,
                width=width,
                num_inference_steps=inputs.workload.steps,
                guidance_scale=CFG - 1 if inputs.workload.guided else 0.0,
                output_type="pt",
            ).images

        return lambda: run() * 2 - 1

    def _velocity(self, dit: Any, inputs: Inputs) -> Run:
        latents = [latent[:, None] for latent in inputs.latents]
        time = torch.full((len(latents),), 1 - inputs.sigma, device=inputs.latents.device)
        if not inputs.workload.guided:
            return lambda: -torch.stack(dit(latents, time, inputs.captions, return_dict=False)[0])[:, :, 0]
        captions = inputs.captions + inputs.negatives  # both in one batch, as in the pipeline

        def run() -> Tensor:
            out = dit(latents * 2, time.repeat(2), captions, return_dict=False)[0]
            positive, negative = torch.stack(out)[:, :, 0].float().chunk(2)
            return -(positive + (CFG - 1) * (positive - negative))

        return run

    def _dit(self) -> Any:
        network = build_transformer(self.weights.setup.dit, self.weights.dit)
        # Setting an attention backend also changes the default of networks that set none, so set one for each network.
        network.set_attention_backend(fastest_attention() if self.is_best else "native")
        if self.is_best:
            network.compile_repeated_blocks(fullgraph=True)
        return network

    def _text(self) -> Any:
        return build_text_encoder(self.weights.setup.text, self.weights.text, self.weights.setup.device)

    def _vae(self) -> Any:
        return build_autoencoder(self.weights.setup.vae, self.weights.vae)


def diffusers_best(weights: Weights) -> Diffusers:
    """diffusers with its documented fast settings."""
    return Diffusers(weights, is_best=True)


def encode(encoder: Any, prompts: list[list[int]], length: int = MAX_CAPTION_TOKENS) -> list[Tensor]:
    """Prompt embeddings as in `_encode_prompt`: padded to `length` with a mask, all layers run, padding removed."""
    device = next(encoder.parameters()).device
    ids = torch.zeros(len(prompts), length, dtype=torch.long, device=device)
    mask = torch.zeros(len(prompts), length, dtype=torch.bool, device=device)
    for row, prompt in enumerate(prompts):
        ids[row, : len(prompt)] = torch.tensor(prompt, device=device)
        mask[row, : len(prompt)] = True
    embeddings = encoder(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states[-2]
    return [each[is_token] for each, is_token in zip(embeddings, mask, strict=True)]


def fastest_attention() -> str:
    """The attention backend that diffusers' documentation recommends for GPUs, without downloads."""
    return "_flash_3" if importlib.util.find_spec("flash_attn_interface") else "_native_cudnn"
