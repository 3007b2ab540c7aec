"""Inputs and outputs that several nodes share, with the presets of the released models as defaults."""

from comfy_api.latest import io

from ..zimage_core.sampling import LAST_STEP, SOLVERS, Preset
from .bridge.tasks import sampling

SEED_MAX = 0xFFFFFFFFFFFFFFFF
MODEL_INPUT = "A Z-Image model from Z-Image Load Model or the stock Load Diffusion Model."
CLIP_INPUT = "Qwen3-4B from Z-Image Load Text Encoder or the stock Load CLIP (lumina2)."
VAE_INPUT = "The FLUX autoencoder from Z-Image Load VAE or the stock Load VAE."
NOISE_SEED = "Which noise to start from. The same seed gives the same noise on every machine."
TIME_AT_NOISE = (
    "Time spent at high noise, where composition is decided: 3 for Turbo, 6 for base; 1 leaves the schedule unshifted."
)
LATENT_INPUT = "A blank latent for text to image, or an encoded picture together with an img2img strength below 1."


def seed_input(
    tooltip: str = NOISE_SEED, *, control_after_generate: bool = True, is_advanced: bool | None = None
) -> io.Input:
    return io.Int.Input(
        "seed",
        default=0,
        min=0,
        max=SEED_MAX,
        control_after_generate=control_after_generate,
        advanced=is_advanced,
        tooltip=tooltip,
    )


def percent_input(
    name: str, default: float, tooltip: str, *, step: float = 0.01, is_advanced: bool | None = None
) -> io.Input:
    """`start_percent` or `end_percent`: a part of the run, 0 to 1."""
    return io.Float.Input(
        name,
        display_name=name.replace("_", " "),
        default=default,
        min=0.0,
        max=1.0,
        step=step,
        advanced=is_advanced,
        tooltip=tooltip,
    )


def steps_input(preset: Preset, advice: str, *, is_advanced: bool | None = None) -> io.Input:
    return io.Int.Input(
        "steps",
        default=preset.steps,
        min=1,
        max=sampling.MOST_STEPS,
        advanced=is_advanced,
        tooltip=f"How many steps to take. {advice}",
    )


def solver_input(preset: Preset) -> io.Input:
    return io.Combo.Input(
        "solver",
        display_name="sampler",
        options=list(SOLVERS),
        default=preset.solver,
        advanced=True,
        tooltip="How to step: euler as the reference does, res_multistep for more detail at the same cost, "
        "heun for accuracy at nearly twice the cost.",
    )


def cfg_input(preset: Preset, tooltip: str, *, is_advanced: bool | None = None) -> io.Input:
    return io.Float.Input(
        "cfg",
        display_name="CFG",
        default=preset.cfg,
        min=1.0,
        max=100.0,
        step=0.1,
        advanced=is_advanced,
        tooltip=tooltip,
    )


def shift_input(preset: Preset, tooltip: str = TIME_AT_NOISE, *, is_advanced: bool | None) -> io.Input:
    return io.Float.Input(
        "shift",
        default=preset.shift,
        min=0.1,
        max=100.0,
        step=0.1,
        advanced=is_advanced,
        tooltip=tooltip,
    )


def strength_input(*, is_advanced: bool | None = None) -> io.Input:
    return io.Float.Input(
        "strength",
        display_name="img2img strength",
        default=1.0,
        min=0.0,
        max=1.0,
        step=0.01,
        advanced=is_advanced,
        tooltip="How far to move away from the picture in the latent: 1 draws from scratch, 0.6 runs the last 6 of "
        "10 steps, 0 changes nothing.",
    )


def range_inputs() -> list[io.Input]:
    """The stock KSampler (Advanced)'s inputs for several samplers in a row, each with its own part of the steps."""
    return [
        io.Boolean.Input(
            "add_noise",
            display_name="add noise",
            default=True,
            optional=True,
            advanced=True,
            tooltip="Off to go on from a latent that another sampler returned with leftover noise.",
        ),
        io.Int.Input(
            "start_at_step",
            display_name="start at step",
            default=0,
            min=0,
            max=LAST_STEP,
            optional=True,
            advanced=True,
            tooltip="The step to begin with, from 0: the one at which the sampler before ended. Give both samplers the "
            "same steps and shift.",
        ),
        io.Int.Input(
            "end_at_step",
            display_name="end at step",
            default=LAST_STEP,
            min=0,
            max=LAST_STEP,
            optional=True,
            advanced=True,
            tooltip="The step to end before; any number from steps on is the end of the schedule.",
        ),
        io.Boolean.Input(
            "return_with_leftover_noise",
            display_name="return with leftover noise",
            default=False,
            optional=True,
            advanced=True,
            tooltip="On to keep the noise that is left at the end step, for a sampler that goes on from there; off to "
            "finish the picture in the last step.",
        ),
    ]


def seed_per_picture_input() -> io.Input:
    return io.Boolean.Input(
        "seed_per_picture",
        display_name="seed per picture",
        default=False,
        optional=True,
        advanced=True,
        tooltip="On to draw each picture of a batch from a seed of its own, counting up from the seed, so that it can "
        "be drawn again alone; off for ComfyUI's noise, where only the first picture can.",
    )


def outputs() -> list[io.Output]:
    return [
        io.Latent.Output(display_name="latent", tooltip="The finished latent, for Z-Image VAE Decode."),
        io.Int.Output(
            display_name="evaluations",
            tooltip="How often the model really ran for each picture: once a step, twice with guidance, "
            "and twice again with heun; what a cache skipped does not count.",
        ),
    ]
