"""Tiny model files under the released files' names, for the test server."""

import shutil
from dataclasses import replace
from pathlib import Path

import torch
from PIL import Image
from safetensors.torch import save_file

import tiny
from zimage_core.adapters.control.network import ControlNet
from zimage_core.checkpoints import CONTROL_PUBLISHED, DIT, load_dit
from zimage_core.config import ControlConfig, DiTConfig, TextConfig
from zimage_core.nano.files import file_of
from zimage_core.text import Qwen3

QWEN = TextConfig(vocab_size=151936, dim=48, n_layers=3, n_heads=4, n_kv_heads=2, head_dim=16, ffn_dim=96)

CONTROL = ControlConfig(
    dim=64,
    n_layers=2,
    n_refiner_layers=2,
    n_heads=2,
    ffn_dim=170,
    adaln_dim=64,
    in_channels=33,
    refiner="control_noise_refiner",
)


def furnish(base: Path) -> None:
    """Fill a server's base folder with model files and Load Image's default picture."""
    write_models(base / "models")
    write_example(base / "input")


def write_models(models: Path) -> None:
    """Write valid files, and files that loaders must reject."""
    for folder in ("diffusion_models", "text_encoders", "vae", "model_patches", "loras"):
        (models / folder).mkdir(parents=True, exist_ok=True)
    dit = tiny.dit().state_dict()
    text = tiny.fill(Qwen3(QWEN), 1).state_dict()
    last = {key.replace("layers.1", "layers.2"): tensor for key, tensor in text.items() if "layers.1" in key}
    for name in ("z_image_turbo_bf16", "z_image_bf16"):
        save_file(dit, models / f"diffusion_models/{name}.safetensors")
    save_file(
        {**text, **{key: value.clone() for key, value in last.items()}, "model.norm.weight": torch.ones(QWEN.dim)},
        models / "text_encoders/qwen_3_4b.safetensors",
    )
    save_file(tiny.vae().state_dict(), models / "vae/ae.safetensors")
    control = CONTROL_PUBLISHED.to_file(tiny.fill(ControlNet(CONTROL), 2).state_dict())
    save_file(control, models / "model_patches/Z-Image-Turbo-Fun-Controlnet-Union-2.1.safetensors")
    write_lora(models / "loras/pixel_art_style_z_image_turbo.safetensors")
    whole = (models / "diffusion_models/z_image_turbo_bf16.safetensors").read_bytes()
    (models / "diffusion_models/half_downloaded.safetensors").write_bytes(whole[: len(whole) // 2])
    save_file(
        {"double_blocks.0.img_attn.qkv.weight": torch.zeros(2, 2)}, models / "diffusion_models/flux1-dev.safetensors"
    )
    save_file(text, models / "diffusion_models/text_encoder_in_the_wrong_folder.safetensors")
    save_file(
        {"text_model.encoder.layers.0.mlp.fc1.weight": torch.zeros(2)}, models / "text_encoders/clip_l.safetensors"
    )
    save_file({"decoder.conv_in.weight": torch.zeros(8, 4, 3, 3)}, models / "vae/sdxl_vae.safetensors")


def write_control(path: Path, config: DiTConfig) -> None:
    """A ControlNet for a transformer of these widths."""
    widths = ("dim", "n_heads", "ffn_dim", "adaln_dim", "n_refiner_layers")
    fitting = replace(CONTROL, **{name: getattr(config, name) for name in widths})
    save_file(CONTROL_PUBLISHED.to_file(tiny.fill(ControlNet(fitting), 2).state_dict()), path)


def write_lora(path: Path) -> None:
    """A LoRA of one layer, under the name that the example workflows use."""
    layer = "diffusion_model.layers.0.attention.out"
    height, width = tiny.dit().layers[0].attention.out.weight.shape
    save_file({f"{layer}.lora_A.weight": torch.ones(2, width), f"{layer}.lora_B.weight": torch.ones(height, 2)}, path)


def write_stock_nano(base: Path) -> None:
    """Nano's weights in full precision, and the node that loads them into ComfyUI's own network."""
    save_file(load_dit(file_of(DIT)).float().state_dict(), base / "models/diffusion_models/stock_nano.safetensors")
    folder = base / "custom_nodes"
    folder.mkdir(exist_ok=True)
    shutil.copy(Path(__file__).with_name("stock_nano.py"), folder)


def write_example(folder: Path) -> None:
    """`example.png`, Load Image's default in every ComfyUI, with a transparent area as its mask."""
    folder.mkdir(parents=True, exist_ok=True)
    picture = Image.linear_gradient("L").resize((517, 331)).convert("RGBA")
    picture.paste((200, 40, 40, 0), (300, 100, 400, 200))
    picture.save(folder / "example.png")
