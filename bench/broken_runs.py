"""`python -m bench.broken_runs`: does Z-Image Doctor name what broke a run, and is it silent about good ones.

Faults are put into runs of the built-in model in a real ComfyUI, on the CPU: each cause in `RUNS` runs of other seeds,
prompts, layers and sizes of the fault. A run counts as missed unless what the Doctor says names its cause.
"""

import argparse
import importlib
import importlib.util
import random
import sys
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from zimage_core.evaluation.intervals import wilson
from zimage_core.nano.data.captions import LANGUAGES, plain_caption
from zimage_core.nano.data.scenes import held_out_scenes

from .systems.comfyui import import_comfyui

PACKAGE = "zimage_pack"
NANO = "nano (built in)"
NAN = float("nan")
LINEAR = ("attention.qkv", "attention.out", "feed_forward.w1", "feed_forward.w2", "feed_forward.w3")
CLAMPED = ("attention.qkv", "attention.out", "feed_forward.w2")  # where float16's overflow is clamped
BATCH = 16  # good pictures of one prompt
TURBO = "Turbo (8 steps, CFG 1); its name says so"

Rng = random.Random


@cache
def pack(name: str) -> Any:
    """A module of the pack, loaded by path as ComfyUI does."""
    if PACKAGE not in sys.modules:
        import_comfyui(torch.device("cpu"))
        root = Path(__file__).resolve().parents[1]
        spec = importlib.util.spec_from_file_location(
            PACKAGE, root / "__init__.py", submodule_search_locations=[str(root)]
        )
        assert spec is not None and spec.loader is not None
        sys.modules[PACKAGE] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return importlib.import_module(f"{PACKAGE}.{name}")


def comfyui(name: str) -> Any:
    """A module of ComfyUI's package `comfy`."""
    return importlib.import_module(f"comfy.{name}")


def nano_file() -> str:
    """Where nano's transformer is."""
    return pack("nodes.bridge.loading.files").path_of(pack("zimage_core.checkpoints").DIT, NANO)


@cache
def model(dtype: torch.dtype = torch.float32) -> Any:
    """Nano's MODEL."""
    loaded = pack("nodes.bridge.loading.model").load_model(nano_file(), dtype)
    loaded.set_model_compute_dtype(dtype)  # else ComfyUI computes in float32 on a CPU
    return loaded


@cache
def prompt(text: str) -> Any:
    """Its conditioning."""
    files, text_encoder = pack("nodes.bridge.loading.files"), pack("zimage_core.checkpoints").TEXT_ENCODER
    clip = pack("nodes.bridge.loading.text").load_text_encoder(files.path_of(text_encoder, NANO), None)
    return pack("nodes.bridge.tasks.prompts").encode(clip, text, is_cut=False)[0]


def any_prompt(rng: Rng) -> Any:
    """Of a scene that nano was not trained on."""
    return prompt(plain_caption(rng.choice(held_out_scenes()), rng.choice(LANGUAGES)))


def draw(
    given: Any,
    rng: Rng,
    *,
    positive: Any = None,
    latent: Tensor | None = None,
    steps: int = 4,
    cfg: float = 1.0,
    shift: float = 3.0,
    strength: float = 1.0,
    release: str = "",
) -> str:
    """What the Doctor says of a run with a stock sampler, or with what it stops the run."""
    samplers = comfyui("samplers")
    schedule = pack("zimage_core.sampling").shifted_schedule
    said: list[str] = []
    watched = pack("nodes.bridge.patches.doctor").with_doctor(given, "stop and say why", release, said.append)
    guider = samplers.CFGGuider(watched)
    guider.set_conds(positive or any_prompt(rng), prompt(""))
    guider.set_cfg(cfg)
    start = torch.zeros(1, 16, 8, 8) if latent is None else latent
    noise = torch.randn(start.shape, generator=torch.Generator().manual_seed(rng.randrange(1 << 30)))
    sampler, sigmas = samplers.sampler_object("euler"), schedule(steps, shift, strength)
    try:
        guider.sample(noise, start, sampler, sigmas, disable_pbar=True, seed=0)
    except ValueError as stopped:
        return str(stopped)
    return "\n".join(said)


@contextmanager
def scaled(given: Any, layer: str, factor: float) -> Generator[None]:
    """A linear layer's output times a factor."""
    module = given.model.diffusion_model.get_submodule(layer)
    handle = module.register_forward_hook(lambda _, __, out: out * factor)
    try:
        yield
    finally:
        handle.remove()


def a_layer(rng: Rng, kinds: tuple[str, ...] = LINEAR) -> str:
    """Any linear layer of any main block."""
    return f"layers.{rng.randrange(len(model().model.diffusion_model.layers))}.{rng.choice(kinds)}"


def overflow(rng: Rng) -> str:
    """Float16 in which one layer's output is as large as the released model's can be."""
    given, factor = model(torch.float16), rng.uniform(1e5, 1e6)
    with scaled(given, a_layer(rng, CLAMPED), factor):
        return draw(given, rng)


def overflow_to_nan(rng: Rng) -> str:
    """Float16 whose last layer overflows, where nothing clamps."""
    given, factor = model(torch.float16), rng.uniform(1e6, 1e8)
    with scaled(given, "final_layer.linear", factor):
        return draw(given, rng)


def attention(rng: Rng) -> str:
    """An attention that returns NaN for one token, from one of its calls on."""
    calls, first = Counter[str](), rng.randrange(1, 8)

    def broken(stock: Any, *args: Any, **kwargs: Any) -> Tensor:
        calls["all"] += 1
        out = stock(*args, **kwargs)
        if calls["all"] >= first:
            out = out.clone()
            out[:, -rng.randrange(1, 16)] = NAN
        return out

    clone = model().clone()
    clone.model_options.setdefault("transformer_options", {})["optimized_attention_override"] = broken
    return draw(clone, rng)


def damaged_file(rng: Rng) -> str:
    """One NaN among a layer's weights."""
    weight = model().model.diffusion_model.get_submodule(a_layer(rng)).weight
    place = rng.randrange(weight.numel())
    before = weight.data.flatten()[place].clone()
    weight.data.view(-1)[place] = NAN
    try:
        return draw(model(), rng)
    finally:
        weight.data.view(-1)[place] = before


def lora(rng: Rng) -> str:
    """A LoRA of rank 4 at fifty times what a trained one changes."""
    return draw(with_lora(rng, rng.uniform(2.0, 50.0)), rng)


def infinite_lora(rng: Rng) -> str:
    """A LoRA with one infinite number."""
    return draw(with_lora(rng, 0.02, broken=True), rng)


def with_lora(rng: Rng, change: float, *, broken: bool = False) -> Any:
    """A clone whose main layers are changed by this share of their norm."""
    clone, generator = model().clone(), torch.Generator().manual_seed(rng.randrange(1 << 30))
    patches: dict[str, Any] = {}
    for index in range(len(clone.model.diffusion_model.layers)):
        for kind in LINEAR:
            key = f"layers.{index}.{kind}.weight"
            shape, norm = weight_sizes()[key]
            up, down = (torch.randn(n, 4, generator=generator) for n in shape)
            delta = up @ down.T
            patches[f"diffusion_model.{key}"] = ("diff", (delta * (change * norm / delta.norm()),))
    if broken:
        name = rng.choice(sorted(patches))
        patches[name][1][0][0, 0] = float("inf")
    clone.add_patches(patches, 1.0)
    return clone


@cache
def weight_sizes() -> dict[str, tuple[torch.Size, float]]:
    """Shapes and norms of nano's weights, before anything was patched into them."""
    fresh = pack("nodes.bridge.loading.model").load_model(nano_file(), torch.float32).model.diffusion_model
    return {name: (weight.shape, float(weight.norm())) for name, weight in fresh.named_parameters()}


def broken_prompt(rng: Rng) -> str:
    """One NaN in the conditioning."""
    [[features, values]] = any_prompt(rng)
    features = features.clone()
    features.view(-1)[rng.randrange(features.numel())] = NAN
    return draw(model(), rng, positive=[[features, values]])


def broken_latent(rng: Rng) -> str:
    """One NaN in the latent."""
    latent = torch.randn(1, 16, 8, 8)
    latent.view(-1)[rng.randrange(latent.numel())] = NAN
    return draw(model(), rng, latent=latent, strength=0.6)


def after_the_model(rng: Rng) -> str:
    """A node that changes the prediction, and spoils it from some step on."""
    clone, first, calls = model().clone(), rng.randrange(1, 4), Counter[str]()

    def post_cfg(args: Any) -> Tensor:
        calls["all"] += 1
        return args["denoised"] * (NAN if calls["all"] >= first else 1.0)

    clone.set_model_sampler_post_cfg_function(post_cfg)
    return draw(clone, rng)


def not_again(rng: Rng) -> str:
    """What is broken only the first time, as a cache or a graph may be."""
    clone, first, calls = model().clone(), rng.randrange(1, 4), Counter[str]()

    def once(apply_model: Any, call: Any) -> Tensor:
        calls["all"] += 1
        return apply_model(call["input"], call["timestep"], **call["c"]) * (NAN if calls["all"] == first else 1.0)

    clone.set_model_unet_function_wrapper(once)
    return draw(clone, rng)


def other_autoencoder(rng: Rng) -> str:
    """A picture's latent as SD3's autoencoder scales it: a standard deviation of 1 / 1.5305 where FLUX's has 2.77.

    The strength leaves one to three of four steps: above 0.75 a run begins from noise alone, which holds no latent.
    """
    drawn = torch.randn(1, 16, 8, 8, generator=torch.Generator().manual_seed(rng.randrange(1 << 30)))
    return draw(model(), rng, latent=drawn / 1.5305 + 0.0609, strength=rng.uniform(0.25, 0.74))


def high_cfg(rng: Rng) -> str:
    """Turbo's guidance at CFG 4 to 30."""
    return draw(model(), rng, cfg=rng.uniform(4, 30), steps=8, release=TURBO)


def many_steps(rng: Rng) -> str:
    """Turbo at base's steps."""
    return draw(model(), rng, steps=rng.randrange(24, 40), release=TURBO)


def absurd_shift(rng: Rng) -> str:
    """Nearly all steps at one end."""
    return draw(model(), rng, shift=rng.choice((0.1, 0.3, 30.0, 100.0)), steps=8, release=TURBO)


CAUSES: dict[str, tuple[Callable[[Rng], str], str]] = {  # the fault, and words that what is said must hold
    "fp16 overflow in a layer": (overflow, "float16 holds"),
    "fp16 overflow that ends in NaN": (overflow_to_nan, "float16 holds no more than"),
    "an attention that gives NaN": (attention, "the attention here"),
    "a weight that is NaN": (damaged_file, "the weights of this layer are no numbers"),
    "a LoRA 2 to 50 times the weights": (lora, "LoRAs change the weights by"),
    "a LoRA with an infinite number": (infinite_lora, "LoRAs make the weights of this layer infinite"),
    "NaN in the conditioning": (broken_prompt, "conditioning"),
    "NaN in the latent": (broken_latent, "latent was broken before the model"),
    "a node after the model": (after_the_model, "what follows it"),
    "broken only the first time": (not_again, "run again as it was, the step is right"),
    "another autoencoder's latent": (other_autoencoder, "another model's autoencoder"),
    "Turbo at CFG 4 to 30": (high_cfg, "This is Turbo"),
    "Turbo at 24 to 40 steps": (many_steps, "This is Turbo"),
    "a shift of 0.1 to 100": (absurd_shift, "leaves most steps at one end"),
}


def good_runs(count: int) -> Iterator[str]:
    """What the Doctor says of so many good pictures, in batches of one prompt; nothing is what it should say."""
    for index in range(-(-count // BATCH)):
        rng = Rng(index)
        steps, cfg = (20, 3.0) if index % 2 else (8, 1.0)
        latent = torch.zeros(min(BATCH, count - index * BATCH), 16, 8, 8)
        if text := draw(model(), rng, latent=latent, shift=rng.choice((1.0, 3.0, 6.0)), steps=steps, cfg=cfg):
            yield text


@torch.inference_mode()
def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.broken_runs", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=200, help="of each cause")
    parser.add_argument("--good", type=int, default=1000, help="pictures without a fault")
    parser.add_argument("--causes", nargs="+", choices=CAUSES, default=list(CAUSES), metavar="CAUSE", help="only these")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    tqdm.write(f"| cause | missed of {arguments.runs} | 95 % interval | said instead |\n| --- | --- | --- | --- |")
    for name in arguments.causes:
        fault, words = CAUSES[name]
        missed = [text for index in range(arguments.runs) if words not in (text := fault(Rng(index)))]
        low, high = wilson(len(missed), arguments.runs)
        said_instead = missed[0] if missed else ""
        tqdm.write(f"| {name} | {len(missed)} | {low:.1%} to {high:.1%} | {said_instead} |")
    said = list(good_runs(arguments.good))
    tqdm.write(f"\nfalse alarms in {arguments.good} good pictures, in batches of {BATCH}: {len(said)} {said[:3]}")


if __name__ == "__main__":
    main()
