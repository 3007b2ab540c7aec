"""Our autoencoder as a ComfyUI VAE, with a memory estimate of its own."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import comfy.model_patcher
import comfy.ops
import comfy.sd
import comfy.utils
import torch
from comfy import model_management
from torch import Tensor, nn

from ....zimage_core.checkpoints import VAE
from ....zimage_core.checkpoints.load import OpenedNetwork
from ....zimage_core.config import VAEConfig
from ....zimage_core.vae import Autoencoder, decode_budget_bytes, encode_budget_bytes, in_strips
from .weights import load_weights, open_file

CHANNELS, CELL = 16, 8  # of a latent, and pixels along a side of one of its cells
STRIP_SIDE = 128  # of the square latent whose memory encoding in strips may take
SIDE_MULTIPLE = 16  # pixels: eight per latent cell, two cells per patch


class ComfyAutoencoder(Autoencoder):
    """Encodes to and decodes from unscaled latents, as VAE sockets carry; the MODEL scales and shifts them."""

    def encode(self, picture: Tensor) -> Tensor:
        return self.posterior(picture).mean

    def decode(self, latent: Tensor) -> Tensor:
        return self.decoder(latent)

    def decode_tiled(self, latent: Tensor, tile_x: int = 64, tile_y: int = 64, overlap: int = 0) -> Tensor:
        """With the memory of one tile, but without tiles: a strip of rows at a time, which leaves no seams.

        ComfyUI passes the latent on the device to compute on; the picture is returned in RAM.
        """
        budget = decode_budget_bytes(self.config, (tile_y, tile_x), latent.dtype)
        bar = comfy.utils.ProgressBar(1)

        def progress(done: int, total: int) -> None:
            check_interrupted(done, total)
            bar.update_absolute(done, total)

        return in_strips(self.decoder, latent, budget, progress)

    def encode_in_strips(self, picture: Tensor, budget: int) -> Tensor:
        """The same latents as `encode`, up to rounding, with about `budget` bytes on the picture's device."""
        return in_strips(self.encoder, picture, budget, check_interrupted).chunk(2, dim=1)[0]


def check_interrupted(done: int, total: int) -> None:
    """Ends the run between two steps of the autoencoder if it was interrupted."""
    model_management.throw_exception_if_processing_interrupted()


@contextmanager
def interruptible(vae: Any) -> Generator[Any]:
    """A VAE of any loader that hears an interruption before each of its layers, for the length of a `with` block."""

    def check(module: nn.Module, inputs: object) -> None:
        model_management.throw_exception_if_processing_interrupted()

    network = vae.first_stage_model
    layers = layers_of(network) if isinstance(network, nn.Module) else ()  # other packs' may run elsewhere
    hooks = [layer.register_forward_pre_hook(check) for layer in layers]
    try:
        yield vae
    finally:
        for hook in hooks:
            hook.remove()


def layers_of(network: nn.Module) -> Generator[nn.Module]:
    """The smallest parts of a network; not those inside compiled ones, which would be compiled anew."""
    parts = [] if hasattr(network, "_orig_mod") else list(network.children())
    if not parts:
        yield network
    for part in parts:
        yield from layers_of(part)


def encode_large(vae: Any, images: Tensor) -> Tensor:
    """Raw latents (b, 16, h, w) of images (b, H, W, 3) of any size, in little memory of the device.

    Our autoencoder runs in strips of rows, which leave no seams and between which an interruption is heard; another one
    whole where that fits, else in ComfyUI's tiles.
    """
    network = vae.first_stage_model
    if not isinstance(network, ComfyAutoencoder):
        needed = vae.memory_used_encode((1, 3, *images.shape[1:3]), vae.vae_dtype)
        with interruptible(vae):
            return (vae.encode_tiled if needed > model_management.get_total_memory(vae.device) else vae.encode)(images)
    budget = encode_budget_bytes(network.config, (STRIP_SIDE, STRIP_SIDE), vae.vae_dtype)
    model_management.load_models_gpu([vae.patcher], memory_required=budget)
    pixels = vae.process_input(images.movedim(-1, 1)).to(vae.device, vae.vae_dtype)
    return network.encode_in_strips(pixels, budget).to(vae.output_device, torch.float32)


def load_vae(path: str) -> comfy.sd.VAE:
    """The VAE of an autoencoder file.

    ComfyUI's class cannot be built around an existing network. So its pixel-space VAE is created, which has no weights
    and every attribute the running version expects, and its network is replaced by ours.
    """
    opened = open_file(path, VAE)
    config = opened.config
    vae = comfy.sd.VAE(sd={"pixel_space_vae": torch.ones(())})
    vae.latent_channels, vae.output_channels = config.latent_channels, 3
    vae.downscale_ratio = vae.upscale_ratio = config.downscale
    vae.disable_offload = False
    vae.handles_tiling = True  # ComfyUI calls our `decode_tiled` when memory runs out and when tiles are asked for
    vae.size = None
    vae.memory_used_decode = lambda shape, dtype: decode_budget_bytes(config, (shape[-2], shape[-1]), dtype)
    vae.memory_used_encode = lambda shape, dtype: encode_budget_bytes(
        config, (shape[-2] // config.downscale, shape[-1] // config.downscale), dtype
    )
    vae.vae_dtype = model_management.vae_dtype(vae.device, [torch.bfloat16, torch.float32])
    replace_network(vae, ComfyAutoencoder(config, ops=comfy.ops.disable_weight_init), opened)
    return vae


def replace_network(
    vae: comfy.sd.VAE, network: ComfyAutoencoder, opened: OpenedNetwork[VAEConfig, Autoencoder]
) -> None:
    """Replace the VAE's network, its patcher included."""
    vae.first_stage_model = network.to(vae.vae_dtype).eval()
    model_management.archive_model_dtypes(network)
    offload_device = model_management.vae_offload_device()
    vae.patcher = comfy.model_patcher.CoreModelPatcher(network, load_device=vae.device, offload_device=offload_device)
    load_weights(network, opened, dtype=vae.vae_dtype, assign=vae.patcher.is_dynamic())
    if model_management.force_channels_last():  # the user's choice at ComfyUI's start, for every network
        network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue] - missing from torch's stubs
    vae.model_size()


def check_vae(vae: Any) -> None:
    """Refuse another model's autoencoder."""
    if vae is None or getattr(vae, "first_stage_model", None) is None:
        raise ValueError(
            "No VAE is connected: the checkpoint loaded here holds none. Use Z-Image Load VAE with ae.safetensors."
        )
    if vae.latent_channels != CHANNELS or vae.spacial_compression_decode() != CELL:
        raise ValueError(
            f"This VAE makes latents of {vae.latent_channels} channels at 1/{vae.spacial_compression_decode()} of the "
            f"size; Z-Image needs {CHANNELS} at 1/{CELL}. Load ae.safetensors, the FLUX autoencoder."
        )
