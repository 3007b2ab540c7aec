"""ComfyUI's own Z-Image templates, with our loaders in the places of the stock ones, on tiny files of the same names.

Unchanged they need files of the released width, which is too much for a test; docs/log.md tells how that went.
"""

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file

import quantized_files
import tiny
from prompt_graphs import node

TEMPLATES = (
    "image_z_image",
    "image_z_image_int8",
    "image_z_image_turbo",
    "image_z_image_turbo_int8",
    "utility_z_image_turbo_2k_upscaler.app",
)
SWAPS = {
    "UNETLoader": lambda old: node("ZImageModelLoader", model_name=old["unet_name"], precision="automatic"),
    "CLIPLoader": lambda old: node("ZImageTextEncoderLoader", text_encoder_name=old["clip_name"]),
    "VAELoader": lambda old: node("ZImageVAELoader", vae_name=old["vae_name"]),
}
SMALL = {
    "EmptySD3LatentImage": {"width": 64, "height": 64},
    "ImageScaleToTotalPixels": {"megapixels": 0.01},
}


def template(server, name: str) -> dict[str, Any]:
    """The prompt graph of a template shipped with ComfyUI."""
    from comfy_cli.workflow_to_api import convert_ui_to_api

    graph = files("comfyui_workflow_templates_json") / f"templates/{name}.json"
    return convert_ui_to_api(json.loads(graph.read_text("utf-8")), server.get("/object_info"))


def swapped(prompt: dict[str, Any]) -> dict[str, Any]:
    """The prompt graph with our loaders instead of the stock ones and small sizes; otherwise as shipped."""
    changed = {}
    for name, each in prompt.items():
        kind, inputs = each["class_type"], each["inputs"]
        changed[name] = SWAPS[kind](inputs) if kind in SWAPS else node(kind, **{**inputs, **SMALL.get(kind, {})})
    return changed


@pytest.fixture(scope="module")
def files_of_templates(server):
    """Model files that the templates need in addition to those of all tests."""
    write_quantized(server.base / "models")
    write_upscaler(server)


def write_quantized(models: Path) -> None:
    """Small files in the formats of the int8 templates."""
    with safe_open(models / "text_encoders/qwen_3_4b.safetensors", "pt") as file:
        text = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a dictionary
    mixed = quantized_files.quantize_state(text, lambda name: quantized_files.fp8 if "mlp" in name else None)
    quantized_files.save(mixed, models / "text_encoders/qwen_3_4b_fp8_mixed.safetensors")
    rotated = quantized_files.quantize_state(
        tiny.dit().state_dict(), quantized_files.block_linears(quantized_files.convrot_16)
    )
    for name in ("z_image_int8_convrot", "z_image_turbo_int8_convrot"):
        quantized_files.save(rotated, models / f"diffusion_models/{name}.safetensors")


def write_upscaler(server) -> None:
    """The picture and the upscale model used by the upscaler's template."""
    from spandrel.architectures.ESRGAN import ESRGAN

    folder = server.base / "models/upscale_models"
    folder.mkdir(parents=True, exist_ok=True)
    save_file(ESRGAN(num_filters=4, num_blocks=1).state_dict(), folder / "RealESRGAN_x4plus.safetensors")
    (server.base / "input").mkdir(exist_ok=True)
    Image.linear_gradient("L").convert("RGB").save(server.base / "input/fighter_jet.png")


@pytest.mark.parametrize("name", TEMPLATES)
def test_the_template_draws_a_picture_with_our_loaders(server, run, files_of_templates, name):
    outcome = run(swapped(template(server, name)))
    assert outcome.error is None, outcome.error
    pictures = [Image.open(file) for file in outcome.files if file.parent == server.output]
    assert pictures
    for picture in pictures:
        assert picture.getextrema() != ((0, 0),) * 3  # not black


@pytest.mark.parametrize("name", TEMPLATES)
def test_the_unchanged_template_is_accepted_with_the_pack_installed(server, files_of_templates, name):
    """Validated and queued, then removed before the networks are built."""
    server.post("/queue", {"clear": True})
    status, answer = server.post("/prompt", {"prompt": template(server, name)})
    server.post("/queue", {"delete": [answer["prompt_id"]]})
    server.post("/interrupt", {})
    assert status == 200, answer
    assert not answer["node_errors"]
