"""A MODEL for pictures beyond its own size, for any sampler: drawn small first, enlarged, and finished large.

All of it happens inside the sampler's run: an `OUTER_SAMPLE` wrapper runs the sampler at the native size, enlarges the
picture between decoder and encoder, and runs the last steps again at the size that was asked for. Latents are not
enlarged themselves, since what comes of it is no picture's latent.
"""

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any

import torch
from comfy import model_management
from comfy.patcher_extension import WrappersMP
from torch import Tensor

from ....zimage_core.config import NANO_SIDE
from ....zimage_core.model.position_scaling import Method, PositionScaling
from ....zimage_core.regions import resample
from ....zimage_core.runtime.large_plan import CELL, LargePlan, Way, plan_large
from ....zimage_core.vae import strips_ram_bytes
from ..loading.vae import ComfyAutoencoder, check_vae, encode_large, interruptible
from ..network.attach import attach, running_network
from ..network.dit import POSITIONS
from ..network.nano_latents import NanoLatents
from ..network.step_memory import step_memory
from .enlarged_control import EnlargedControl, with_enlarged_control
from .run_facts import WHOLE
from .tiled import with_tiles

KEY = "zimage_large_picture"
NATIVE_SIDE = 1024  # pixels
PATCH = 16  # pixels
USABLE = 0.9  # of a device's memory
Steered = tuple[Any, float]  # a ControlNet's MODEL_PATCH and its strength
PICTURE_BYTES = 3 * 3 * 4  # of a pixel: three copies in float32, while a picture is enlarged or decoded


def native_side(model: Any) -> int:
    """The side of the pictures that a MODEL draws best, in pixels."""
    return NANO_SIDE if isinstance(model.model.latent_format, NanoLatents) else NATIVE_SIDE


def prepare(
    model: Any,
    vae: Any,
    width: int,
    height: int,
    way: Way | None,
    detail: float,
    steered_by: Steered | None = None,
    positions: Method = "ntk",
) -> tuple[Any, tuple[int, int], str]:
    """The MODEL that draws a size in pixels, that size in whole patches, and what to say of it.

    `detail` is the part of the steps run large; at 0 the MODEL is the one that came in. `positions` says how those of a
    whole picture are scaled.
    """
    check_vae(vae)
    rounded = width // PATCH * PATCH, height // PATCH * PATCH
    plan = plan_for(model, vae, *rounded, way if detail else "as it is")
    lines = [report(plan)]
    if rounded != (width, height):
        lines.append(f"{width}x{height} was rounded to {rounded[0]}x{rounded[1]}: sides are multiples of {PATCH}.")
    if not detail:
        lines.append("Detail is 0, so nothing is drawn again at the large size.")
    return with_large_picture(model, vae, plan, detail, steered_by, positions), rounded, "\n".join(lines)


def plan_for(model: Any, vae: Any, width: int, height: int, way: Way | None) -> LargePlan:
    """The plan for a MODEL and a size in pixels; ValueError if it does not fit the device or the picture RAM."""
    network, is_int8 = running_network(attach(model)), model.model.model_config.quant_config is not None

    def bytes_of(size: tuple[int, int]) -> int:
        shape = (1, 16, *size)
        return int(step_memory(network.config, model.model.get_dtype_inference(), is_int8, shape).reserved)

    def decoding_bytes(size: tuple[int, int]) -> int:
        return int(vae.memory_used_decode((1, 16, *size), vae.vae_dtype))

    size = height // CELL, width // CELL
    check_picture_fits(vae, size)
    free = int(USABLE * model_management.get_total_memory(model.load_device))
    return plan_large(network.config, size, native_side(model), way, bytes_of, decoding_bytes, free)


def check_picture_fits(vae: Any, size: tuple[int, int]) -> None:
    """ValueError if a picture of so many cells, once drawn, could not be decoded in this machine's RAM.

    Our autoencoder keeps whole feature maps there, where ComfyUI's decodes tile by tile.
    """
    height, width = (CELL * side for side in size)
    needed, hint = PICTURE_BYTES * height * width, ""
    if isinstance(vae.first_stage_model, ComfyAutoencoder):
        needed += strips_ram_bytes(vae.first_stage_model.config, size, vae.vae_dtype)
        hint = ", or use the stock Load VAE, whose pictures are decoded in tiles"
    free = USABLE * model_management.get_total_memory(torch.device("cpu"))
    if needed > free:
        raise ValueError(
            f"To decode {width}x{height} takes {needed / 2**30:.1f} GB of RAM and this machine has {free / 2**30:.1f} "
            f"GB for it. Draw it smaller{hint}."
        )


def with_large_picture(
    model: Any, vae: Any, plan: LargePlan, detail: float, steered_by: Steered | None = None, positions: Method = "ntk"
) -> Any:
    """A clone of the MODEL, run by our code, that draws as planned; `detail` is the part of the steps run large.

    A ControlNet (MODEL_PATCH) with a strength keeps these steps to the enlarged picture.
    """
    if plan.way == "as it is":
        clone = model.clone()
        clone.remove_wrappers_with_key(WrappersMP.OUTER_SAMPLE, KEY)
        return clone
    attached = attach(model)
    clone = with_tiles(attached, plan.tiling) if plan.way == "tiles" else attached.clone()
    scaling = PositionScaling(base=native_side(model) // PATCH, method=positions)
    clone.model_options["transformer_options"][POSITIONS] = scaling
    others = {key: each for key, each in clone.wrappers.get(WrappersMP.OUTER_SAMPLE, {}).items() if key != KEY}
    control = None if steered_by is None else with_enlarged_control(clone, *steered_by, vae)
    small_first = partial(sample_small_first, plan, vae, detail, control)
    clone.wrappers[WrappersMP.OUTER_SAMPLE] = {KEY: [small_first], **others}  # around step caches: two runs of theirs
    return clone


def sample_small_first(
    plan: LargePlan,
    vae: Any,
    detail: float,
    control: EnlargedControl | None,
    executor: Any,
    noise: Tensor,
    latent: Tensor,
    sampler: Any,
    sigmas: Tensor,
    mask: Any = None,
    callback: Any = None,
    *args: Any,
    **kwargs: Any,
) -> Tensor:
    """OUTER_SAMPLE wrapper. Runs from a picture, with a mask or at another size are left as they are."""
    size, steps = (noise.shape[-2], noise.shape[-1]), len(sigmas) - 1
    again = min(steps, max(fewest_steps(sampler), round(detail * steps)))
    if size != plan.size or mask is not None or float(sigmas[0]) < WHOLE or float(sigmas[-1]) > 0:
        return executor(noise, latent, sampler, sigmas, mask, callback, *args, **kwargs)
    guider, total = executor.class_obj, steps + again
    conds = {name: [each.copy() for each in group] for name, group in guider.conds.items()}
    small, start = (each[..., : plan.small[0], : plan.small[1]].contiguous() for each in (noise, latent))
    own = {name: [small.shape] if name == "latent_shapes" else value for name, value in kwargs.items()}
    drawn = executor(small, start, sampler, sigmas, None, counted(callback, 0, total), *args, **own)
    guider.conds = conds  # the first run resolved areas and masks to its own size
    enlarged = enlarged_latent(vae, drawn, size).to(latent)
    rest = counted(callback, steps, total)
    with control.looking_at(enlarged) if control else nullcontext():
        return executor(noise, enlarged, sampler, sigmas[-1 - again :], None, rest, *args, **kwargs)


def fewest_steps(sampler: Any) -> int:
    """Steps that a sampler of ComfyUI needs to draw at all: UniPC leaves the noise of a single one as it is."""
    function = getattr(sampler, "sampler_function", None)
    return 2 if getattr(function, "__module__", "").endswith(".uni_pc") else 1


def enlarged_latent(vae: Any, small: Tensor, size: tuple[int, int]) -> Tensor:
    """The latents (b, 16, h, w) of enlarged pictures, at `size` cells; an interruption is heard on the way."""
    model_management.throw_exception_if_processing_interrupted()
    with interruptible(vae):
        decoded = vae.decode(small)
    pictures = resample(decoded.movedim(-1, 1), (CELL * size[0], CELL * size[1]))
    return encode_large(vae, pictures.movedim(1, -1))


def counted(callback: Callable[..., Any] | None, before: int, total: int) -> Callable[..., Any] | None:
    """A sampler's callback for a part of the steps."""
    if callback is None:
        return None

    def call(step: int, x0: Tensor, x: Tensor, steps: int) -> Any:
        return callback(before + step, x0, x, total)

    return call


def report(plan: LargePlan) -> str:
    """What was chosen and what it costs, for the node."""
    height, width = (CELL * side for side in plan.size)
    small = f"{CELL * plan.small[1]}x{CELL * plan.small[0]}"
    gigabytes = f"{plan.bytes_needed / 2**30:.1f} GB beside the weights"
    if plan.way == "as it is":
        return f"{width}x{height}: drawn as it is. A step: {teraflops(plan.flops)}, {gigabytes}."
    tile = CELL * plan.tiling.height
    how = (
        f"in {plan.n_tiles} tiles of {tile}x{tile} that overlap by {CELL * plan.tiling.overlap}"
        if plan.way == "tiles"
        else "as a whole with scaled positions"
    )
    lines = (
        f"{width}x{height}: drawn at {small}, enlarged, and its last steps drawn again {how}.",
        f"A step at {small}: {teraflops(plan.small_flops)}. A step at {width}x{height}: {teraflops(plan.flops)}, "
        f"{gigabytes}.",
        f"A run from a picture, with a mask or of a part of the steps is drawn {how} from its first step on.",
    )
    return "\n".join(lines)


def teraflops(flops: int) -> str:
    """Operations with three digits."""
    return f"{flops / 1e12:.3g} TFLOP"
