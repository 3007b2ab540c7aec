"""ComfyUI's native networks: the modules themselves, without the server's queue and memory manager.

ComfyUI is imported from `COMFYUI_DIR` and always uses PyTorch's attention: on a GPU that is its default, on a CPU it
corresponds to `--use-pytorch-cross-attention`, its fastest option there.
"""

import importlib
import logging
import re
import sys
from collections.abc import Generator
from contextlib import contextmanager
from itertools import pairwise
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from tools.comfyui import comfyui_folder
from zimage_core.config import TextConfig, norm_groups
from zimage_core.sampling import TURBO, shifted_schedule

from ..random_weights import Inputs, State, Weights
from ..runner import Run, isolated_block
from ..workloads import CFG


class ComfyUIMissing(RuntimeError):
    """ComfyUI was not found."""


def import_comfyui(device: torch.device) -> ModuleType:
    """ComfyUI's `comfy` package, with the device set through its own command-line arguments."""
    folder = comfyui_folder()
    if not (folder / "main.py").exists():
        raise ComfyUIMissing(f"no ComfyUI in {folder}; set COMFYUI_DIR, or let `make setup` fetch it")
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    if "comfy.model_management" not in sys.modules:
        arguments, sys.argv = sys.argv, ["comfyui", "--cpu" if device.type == "cpu" else "--gpu-only"]
        level = logging.root.level
        try:
            importlib.import_module("comfy.options").enable_args_parsing()
            importlib.import_module("comfy.model_management")
        finally:
            sys.argv = arguments
            logging.root.setLevel(level)
    for name in ("ops", "ldm.lumina.model", "ldm.modules.attention", "ldm.modules.diffusionmodules.model"):
        importlib.import_module(f"comfy.{name}")
    importlib.import_module("comfy.text_encoders.z_image")
    return sys.modules["comfy"]


def version() -> str:
    """ComfyUI's version."""
    file = comfyui_folder() / "comfyui_version.py"
    match = re.search(r'__version__ = "(.*)"', file.read_text()) if file.exists() else None
    return f"ComfyUI {match[1]}" if match else "no ComfyUI"


def qwen3_widths(config: TextConfig) -> dict[str, int]:
    """A Qwen3's shape under ComfyUI's names."""
    return {
        "vocab_size": config.vocab_size,
        "hidden_size": config.dim,
        "intermediate_size": config.ffn_dim,
        "num_hidden_layers": config.n_layers,
        "num_attention_heads": config.n_heads,
        "num_key_value_heads": config.n_kv_heads,
    }


class ComfyUI:
    """ComfyUI's networks loaded with the shared weights."""

    name = "ComfyUI"

    def __init__(self, weights: Weights) -> None:
        self.weights = weights
        self.comfy: Any = import_comfyui(weights.setup.device)

    def block(self, inputs: Inputs) -> Run:
        dit = self._dit()
        run = isolated_block(dit.layers[0], self._velocity(dit, inputs))
        return lambda: run(inputs.tokens)

    def transformer(self, inputs: Inputs) -> Run:
        return self._velocity(self._dit(), inputs)

    def text(self, inputs: Inputs) -> Run:
        encode = self._text()
        return lambda: encode(inputs.prompts)

    def decode(self, inputs: Inputs) -> Run:
        decoder = self._decoder()
        config = self.weights.setup.vae
        return lambda: decoder(inputs.latents / config.scaling_factor + config.shift_factor)

    def picture(self, inputs: Inputs) -> Run:
        encode, dit, decoder = self._text(), self._dit(), self._decoder()
        config, dtype, batch = self.weights.setup.vae, inputs.latents.dtype, len(inputs.latents)
        levels = shifted_schedule(inputs.workload.steps, TURBO.shift).tolist()

        def run() -> Tensor:
            prompts = inputs.prompts + (inputs.negative_prompts if inputs.workload.guided else [])
            context = encode(prompts).unflatten(0, (len(prompts), -1)).to(dtype)
            x = inputs.latents.float()
            for sigma, sigma_next in pairwise(levels):
                sigmas = torch.full((batch,), sigma, device=x.device)
                x = x + (sigma_next - sigma) * self._evaluate(dit, x.to(dtype), sigmas, context).float()
            return decoder((x / config.scaling_factor + config.shift_factor).to(dtype)).clamp(-1, 1)

        return run

    def _velocity(self, dit: Any, inputs: Inputs) -> Run:
        context = torch.stack(inputs.captions + (inputs.negatives if inputs.workload.guided else []))
        sigmas = torch.full((len(inputs.latents),), inputs.sigma, device=inputs.latents.device)
        return lambda: self._evaluate(dit, inputs.latents, sigmas, context)

    def _evaluate(self, dit: Any, x: Tensor, sigmas: Tensor, context: Tensor) -> Tensor:
        """One function evaluation. With two contexts per latent it is guided, both in one batch as ComfyUI does it."""
        options = {"optimized_attention_override": self._pytorch_attention}
        n_contexts = len(context) // len(x)
        x, sigmas = x.repeat(n_contexts, 1, 1, 1), sigmas.repeat(n_contexts)
        out = dit(x, sigmas, context, context.shape[1], transformer_options=options)
        if n_contexts == 1:
            return out
        positive, negative = out.float().chunk(2)
        return positive + (CFG - 1) * (positive - negative)

    def _pytorch_attention(self, chosen: Any, *args: Any, **kwargs: Any) -> Tensor:
        return self.comfy.ldm.modules.attention.attention_pytorch(*args, **kwargs)

    def _dit(self) -> Any:
        setup, config = self.weights.setup, self.weights.setup.dit
        network = self.comfy.ldm.lumina.model.NextDiT(
            patch_size=config.patch_size,
            in_channels=config.in_channels,
            dim=config.dim,
            n_layers=config.n_layers,
            n_refiner_layers=config.n_refiner_layers,
            n_heads=config.n_heads,
            n_kv_heads=config.n_heads,
            ffn_dim_multiplier=8 / 3,
            qk_norm=True,
            cap_feat_dim=config.cap_feat_dim,
            axes_dims=list(config.axes_dims),
            axes_lens=[1536, 512, 512],
            rope_theta=config.rope_theta,
            z_image_modulation=True,
            time_scale=1000.0,
            pad_tokens_multiple=32,
            dtype=setup.dtype,
            device=setup.device,
            operations=self.operations(),
        )
        network.load_state_dict(self.state(), assign=True)
        return network.requires_grad_(False).eval()

    def operations(self) -> Any:
        """The layers the transformer is built of."""
        return self.comfy.ops.disable_weight_init

    def state(self) -> State:
        """The transformer's weights."""
        return self.weights.dit

    def _text(self) -> Any:
        """The text encoder in ComfyUI's wrapper, which sets precision and mask; prompts must have equal length."""
        config = self.weights.setup.text
        model = self.comfy.text_encoders.z_image.Qwen3_4BModel(
            device="meta",
            dtype=self.weights.setup.dtype,
            model_options={"model_name": "qwen3_4b", "qwen3_4b_model_config": qwen3_widths(config)},
        )
        model.transformer.load_state_dict(self.weights.text, assign=True)

        def encode(prompts: list[list[int]]) -> Tensor:
            with self._with_pytorch_attention():
                return model.encode(prompts)[0].flatten(0, 1)

        return encode

    def _decoder(self) -> Any:
        config = self.weights.setup.vae
        width = config.decoder_widths[0]
        if norm_groups(config.decoder_widths) != 32:
            raise ValueError(f"ComfyUI's decoder has 32 normalisation groups, so its finest width is 128, not {width}")
        with torch.device("meta"), self._with_pytorch_attention():
            network = self.comfy.ldm.modules.diffusionmodules.model.Decoder(
                ch=width,
                out_ch=3,
                ch_mult=[each // width for each in config.decoder_widths],
                num_res_blocks=config.decoder_blocks - 1,
                attn_resolutions=[],
                in_channels=3,
                resolution=256,
                z_channels=config.latent_channels,
            )
        state = {key.removeprefix("decoder."): tensor for key, tensor in self.weights.vae.items()}
        network.load_state_dict(state, assign=True)
        return network.requires_grad_(False).eval()

    @contextmanager
    def _with_pytorch_attention(self) -> Generator[None]:
        """Use PyTorch attention for one call, without changing the setting for other code in the process."""
        management = self.comfy.model_management
        before = management.ENABLE_PYTORCH_ATTENTION
        management.ENABLE_PYTORCH_ATTENTION = True
        try:
            yield
        finally:
            management.ENABLE_PYTORCH_ATTENTION = before
