"""The `parameters` text of a picture as A1111's web UI writes it, and CivitAI and picture managers read it.

Prompt, then `Negative prompt: ...`, then one line of `Name: value` pairs with commas between. The grammar is the one of
A1111's infotext reader: a value is either plain up to the next comma, or a JSON string.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

SAMPLERS = {  # ComfyUI's name -> the one sites know
    "euler": "Euler",
    "euler_ancestral": "Euler a",
    "heun": "Heun",
    "res_multistep": "Res Multistep",
    "dpmpp_2m": "DPM++ 2M",
    "dpmpp_2m_sde": "DPM++ 2M SDE",
    "dpmpp_3m_sde": "DPM++ 3M SDE",
    "dpmpp_sde": "DPM++ SDE",
    "uni_pc": "UniPC",
    "ddim": "DDIM",
    "lcm": "LCM",
}
SCHEDULERS = {"simple": "Simple", "normal": "Normal", "karras": "Karras", "beta": "Beta", "sgm_uniform": "SGM Uniform"}

Facts = Mapping[str, Any]


def parameters_text(facts: Facts, size: tuple[int, int], hashes: Mapping[str, str], version: str) -> str:
    """The whole text.

    `facts` is a sampler's entry of the metadata; `size` is (width, height) of the picture in pixels, for facts without;
    `hashes` are hex digits by the names of model and LoRA files, and a file without one is named alone.
    """
    negative = str(facts.get("negative") or facts.get("nag", {}).get("negative", ""))
    line = ", ".join(f"{name}: {quoted(value)}" for name, value in _pairs(facts, size, hashes, version))
    parts = [str(facts.get("prompt", "")), f"Negative prompt: {negative}" if negative else "", line]
    return "\n".join(part for part in parts if part).strip()


def quoted(value: object) -> str:
    """A value as it stands in the line: a JSON string where the reader would end it early or take it for one."""
    text = f"{value:.10g}" if isinstance(value, float) else str(value)
    is_plain = not any(sign in text for sign in ',:\n"\\') and text == text.strip()
    return text if is_plain else json.dumps(text, ensure_ascii=False)


def _pairs(facts: Facts, size: tuple[int, int], hashes: Mapping[str, str], version: str) -> Iterator[tuple[str, Any]]:
    """Names and values in A1111's order, of what is known."""
    width, height = facts.get("width", size[0]), facts.get("height", size[1])
    sampler, scheduler, model = facts.get("solver"), facts.get("scheduler"), facts.get("model")
    known = {
        "Steps": facts.get("steps"),
        "Sampler": SAMPLERS.get(str(sampler), sampler),
        "Schedule type": SCHEDULERS.get(str(scheduler), scheduler),
        "CFG scale": facts.get("cfg"),
        "Seed": facts.get("seed"),
        "Size": f"{width}x{height}",
        "Model hash": hashes.get(str(model)),
        "Model": _stem(model) if model else None,
        "Denoising strength": _img2img(facts),
        "Shift": facts.get("shift"),
        "NAG scale": facts.get("nag", {}).get("scale"),
        "Lora hashes": _lora_hashes(facts, hashes),
        "Version": version,
    }
    yield from ((name, value) for name, value in known.items() if value is not None)


def _img2img(facts: Facts) -> float | None:
    """The img2img strength, or denoise of ComfyUI's samplers, if it is below 1."""
    strength = facts.get("strength", facts.get("denoise"))
    return strength if isinstance(strength, int | float) and strength < 1 else None


def _lora_hashes(facts: Facts, hashes: Mapping[str, str]) -> str | None:
    """`name: hash, name: hash`, of the LoRAs with a hash."""
    names = [str(lora["file"]) for lora in facts.get("loras", ())]
    return ", ".join(f"{_stem(name)}: {hashes[name]}" for name in names if name in hashes) or None


def _stem(name: str) -> str:
    """A file's name as sites show it: without folders and ending."""
    return PurePosixPath(str(name).replace("\\", "/")).stem
