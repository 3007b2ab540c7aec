"""One shipped workflow is ComfyUI's default workflow plus one node."""

from typing import Any

from paths import REPOSITORY
from prompt_graphs import node
from tools.workflows import Prompt, to_prompt

DEFAULT_GRAPH = {  # ComfyUI's default workflow (comfyui-frontend-package 1.47 and 1.58); links as [node, output]
    "unet": ("UNETLoader", {"unet_name": "z_image_turbo_bf16.safetensors", "weight_dtype": "default"}),
    "clip": ("CLIPLoader", {"clip_name": "qwen_3_4b.safetensors", "type": "lumina2", "device": "default"}),
    "vae": ("VAELoader", {"vae_name": "ae.safetensors"}),
    "shift": ("ModelSamplingAuraFlow", {"model": ["unet", 0], "shift": 3}),
    "latent": ("EmptySD3LatentImage", {"width": 1024, "height": 1024, "batch_size": 1}),
    "positive": (
        "CLIPTextEncode",
        {
            "clip": ["clip", 0],
            "text": "anime RPG game style, cute anime girl with gigantic fennec ears and a big fluffy fox tail with "
            "long wavy blonde hair and large blue eyes blonde colored eyelashes wearing a pink sweater a large "
            "oversized gold trimmed black winter coat and a long blue maxi skirt and a red scarf, she is sitting "
            "beside a campfire in the wilderness at night playing guitar with a milky way galaxy sky",
        },
    ),
    "negative": (
        "CLIPTextEncode",
        {
            "clip": ["clip", 0],
            "text": "low quality, bad anatomy, extra digits, missing digits, extra limbs, missing limbs",
        },
    ),
    "sampler": (
        "KSampler",
        {
            "model": ["shift", 0],
            "positive": ["positive", 0],
            "negative": ["negative", 0],
            "latent_image": ["latent", 0],
            "seed": 42,
            "steps": 8,
            "cfg": 1,
            "sampler_name": "res_multistep",
            "scheduler": "simple",
            "denoise": 1,
        },
    ),
    "decode": ("VAEDecode", {"samples": ["sampler", 0], "vae": ["vae", 0]}),
    "save": ("SaveImage", {"images": ["decode", 0], "filename_prefix": "ComfyUI"}),
}


def test_one_graph_is_comfyuis_default_graph_with_one_node_after_its_loader(server):
    prompt = to_prompt(server, REPOSITORY / "workflows/Z-Image Turbo - default graph plus one node.json")
    (attach,) = [name for name, each in prompt.items() if each["class_type"] == "ZImageAttach"]
    behind = prompt.pop(attach)["inputs"]["model"]
    without = {
        name: node(each["class_type"], **{k: behind if v == [attach, 0] else v for k, v in each["inputs"].items()})
        for name, each in prompt.items()
    }
    assert unfolded(without, last(without)) == unfolded(
        {name: node(kind, **inputs) for name, (kind, inputs) in DEFAULT_GRAPH.items()}, "save"
    )
    assert len(without) == len(DEFAULT_GRAPH)


def last(prompt: Prompt) -> str:
    (name,) = [name for name, each in prompt.items() if each["class_type"] == "SaveImage"]
    return name


def unfolded(prompt: Prompt, name: str) -> tuple[str, dict[str, Any]]:
    """A node with its links replaced by the linked nodes, so that node ids do not matter."""
    each = prompt[name]
    inputs = {key: (unfolded(prompt, v[0]), v[1]) if isinstance(v, list) else v for key, v in each["inputs"].items()}
    return each["class_type"], inputs
