"""diffusers and transformers, as diffusers' own pipeline calls them.

Letters: b batch, n tokens, d model width.

"diffusers" is what `from_pretrained` and a call give. "diffusers, best" is its documented fast setting on a GPU:
attention by cuDNN or FlashAttention 3, and regional compilation.
"""

import importlib
import importlib.util
from typing import Any

import torch
from torch import Tensor, nn

from zimage_core.checkpoints import DIT_DIFFUSERS, VAE_DIFFUSERS
from zimage_core.config import MAX_CAPTION_TOKENS, norm_groups
from zimage_core.sampling import TURBO

from ..cells import CFG
from ..contest import Run, captured
from ..random_weights import Inputs, Weights

# Only partly typed, and stricter in their annotations than in their code: seen as plain modules.
diffusers: Any = importlib.import_module("diffusers")
transformers: Any = importlib.import_module("transformers")


class Diffusers:
    """diffusers' networks holding the shared weights."""

    def __init__(self, weights: Weights, *, is_best: bool = False) -> None:
        self.name = "diffusers, best" if is_best else "diffusers"
        self.is_best = is_best
        self.weights = weights

    def block(self, inputs: Inputs) -> Run:
        dit = self._dit()
        run = captured(dit.layers[0], self._velocity(dit, inputs))
        caption = inputs.cell.caption_tokens
        theirs = torch.cat(
            (inputs.tokens[:, caption:], inputs.tokens[:, :caption]), dim=1
        )  # the picture goes first here
        n_image = theirs.shape[1] - caption

        def turned() -> Tensor:
            out = run(theirs)
            return torch.cat((out[:, n_image:], out[:, :n_image]), dim=1)

        return turned

    def transformer(self, inputs: Inputs) -> Run:
        return self._velocity(self._dit(), inputs)

    def text(self, inputs: Inputs) -> Run:
        encoder = self._text()
        return lambda: torch.cat(encode(encoder, inputs.prompts))

    def exact_text(self, inputs: Inputs) -> Run:
        """Features without any padding: the same answer by the shortest way, for reference."""
        encoder = self._text()
        return lambda: torch.cat([encode(encoder, [prompt], len(prompt))[0] for prompt in inputs.prompts])

    def decode(self, inputs: Inputs) -> Run:
        vae, config = self._vae(), self.weights.setup.vae
        return lambda: vae.decode(inputs.latents / config.scaling_factor + config.shift_factor, return_dict=False)[0]

    def picture(self, inputs: Inputs) -> Run:
        encoder, height, width = self._text(), inputs.cell.size[1], inputs.cell.size[0]
        scheduler = diffusers.FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000, shift=TURBO.shift)
        pipeline = diffusers.ZImagePipeline(
            transformer=self._dit(), vae=self._vae(), text_encoder=None, tokenizer=None, scheduler=scheduler
        )
        pipeline.set_progress_bar_config(disable=True)

        def run() -> Tensor:
            return pipeline(
                prompt_embeds=encode(encoder, inputs.prompts),
                negative_prompt_embeds=encode(encoder, inputs.negative_prompts) if inputs.cell.guided else None,
                latents=inputs.latents.float(),
                height=height,
                width=width,
                num_inference_steps=inputs.cell.steps,
                guidance_scale=CFG - 1 if inputs.cell.guided else 0.0,
                output_type="pt",
            ).images

        return lambda: run() * 2 - 1

    def _velocity(self, dit: Any, inputs: Inputs) -> Run:
        latents = [latent[:, None] for latent in inputs.latents]
        time = torch.full((len(latents),), 1 - inputs.sigma, device=inputs.latents.device)
        if not inputs.cell.guided:
            return lambda: -torch.stack(dit(latents, time, inputs.captions, return_dict=False)[0])[:, :, 0]
        captions = inputs.captions + inputs.negatives  # one batch of both, as the pipeline makes it

        def run() -> Tensor:
            out = dit(latents * 2, time.repeat(2), captions, return_dict=False)[0]
            positive, negative = torch.stack(out)[:, :, 0].float().chunk(2)
            return -(positive + (CFG - 1) * (positive - negative))

        return run

    def _dit(self) -> Any:
        config = self.weights.setup.dit
        with torch.device("meta"):
            network = diffusers.ZImageTransformer2DModel(
                dim=config.dim,
                n_layers=config.n_layers,
                n_refiner_layers=config.n_refiner_layers,
                n_heads=config.n_heads,
                n_kv_heads=config.n_heads,
                cap_feat_dim=config.cap_feat_dim,
                axes_dims=list(config.axes_dims),
                axes_lens=[1536, 512, 512],
            )
        network.load_state_dict(DIT_DIFFUSERS.to_theirs(self.weights.dit), assign=True)
        network.requires_grad_(False).eval()
        # Choosing a back-end also changes the default of networks that never chose: so every one chooses.
        network.set_attention_backend(fastest_attention() if self.is_best else "native")
        if self.is_best:
            network.compile_repeated_blocks(fullgraph=True)
        return network

    def _text(self) -> Any:
        config = self.weights.setup.text
        with torch.device("meta"):
            network = transformers.Qwen3Model(
                transformers.Qwen3Config(
                    vocab_size=config.vocab_size,
                    hidden_size=config.dim,
                    intermediate_size=config.ffn_dim,
                    num_hidden_layers=config.n_layers,
                    num_attention_heads=config.n_heads,
                    num_key_value_heads=config.n_kv_heads,
                    head_dim=config.head_dim,
                    rms_norm_eps=config.norm_eps,
                    rope_theta=config.rope_theta,
                )
            )
        state = {key.removeprefix("model."): tensor for key, tensor in self.weights.text.items()}
        network.load_state_dict(state, assign=True)
        rotary: Any = network.rotary_emb  # its frequencies are no weights, and were made on no device
        network.rotary_emb = type(rotary)(network.config).to(self.weights.setup.device)
        return network.requires_grad_(False).eval()

    def _vae(self) -> Any:
        config = self.weights.setup.vae
        with torch.device("meta"):
            network = diffusers.AutoencoderKL(
                down_block_types=("DownEncoderBlock2D",) * len(config.encoder_widths),
                up_block_types=("UpDecoderBlock2D",) * len(config.decoder_widths),
                block_out_channels=config.decoder_widths,
                layers_per_block=config.decoder_blocks - 1,
                latent_channels=config.latent_channels,
                norm_num_groups=norm_groups(config.decoder_widths),
                scaling_factor=config.scaling_factor,
                shift_factor=config.shift_factor,
                use_quant_conv=False,
                use_post_quant_conv=False,
            )
        network.encoder = nn.Identity()  # only decoding is measured
        network.load_state_dict(VAE_DIFFUSERS.to_theirs(self.weights.vae), assign=True)
        return network.requires_grad_(False).eval()


def diffusers_best(weights: Weights) -> Diffusers:
    """In its documented fast setting."""
    return Diffusers(weights, is_best=True)


def encode(encoder: Any, prompts: list[list[int]], length: int = MAX_CAPTION_TOKENS) -> list[Tensor]:
    """Prompts filled up to `length` behind a mask, through every layer, then cut back: `_encode_prompt`'s way."""
    device = next(encoder.parameters()).device
    ids = torch.zeros(len(prompts), length, dtype=torch.long, device=device)
    mask = torch.zeros(len(prompts), length, dtype=torch.bool, device=device)
    for row, prompt in enumerate(prompts):
        ids[row, : len(prompt)] = torch.tensor(prompt, device=device)
        mask[row, : len(prompt)] = True
    features = encoder(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states[-2]
    return [each[kept] for each, kept in zip(features, mask, strict=True)]


def fastest_attention() -> str:
    """The back-end diffusers' documentation recommends for a GPU, of those that need no download."""
    return "_flash_3" if importlib.util.find_spec("flash_attn_interface") else "_native_cudnn"
