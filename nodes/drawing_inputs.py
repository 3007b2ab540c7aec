"""Inputs of nodes that draw whole pictures themselves, from a prompt to a decoded picture."""

from comfy_api.latest import io

from ..zimage_core.sampling import TURBO
from .sampler_inputs import (
    CLIP_INPUT,
    LATENT_INPUT,
    VAE_INPUT,
    cfg_input,
    seed_input,
    shift_input,
    solver_input,
    steps_input,
    strength_input,
)


def source_inputs(model: str) -> list[io.Input]:
    """Sockets that a node hands on unread; lazy, so that a mistake in a widget is told before a model is loaded."""
    return [
        io.Model.Input("model", lazy=True, raw_link=True, tooltip=model),
        io.Clip.Input("clip", display_name="CLIP", lazy=True, raw_link=True, tooltip=CLIP_INPUT),
        io.Vae.Input("vae", display_name="VAE", lazy=True, raw_link=True, tooltip=VAE_INPUT),
        io.Latent.Input("latent", lazy=True, raw_link=True, tooltip=LATENT_INPUT),
    ]


def negative_prompt_input() -> io.Input:
    return io.String.Input(
        "negative_prompt",
        display_name="negative prompt",
        multiline=True,
        placeholder="negative prompt",
        dynamic_prompts=False,
        default="",
        advanced=True,
        tooltip="What to avoid, in all pictures. Unused at CFG 1.",
    )


def first_seed_input(tooltip: str) -> io.Input:
    """A seed that stays, since another one would draw everything again."""
    return seed_input(tooltip, control_after_generate=False)


def step_inputs() -> list[io.Input]:
    """Settings of the sampler."""
    return [
        steps_input(TURBO, "8 for Turbo, 25 to 50 for base.", is_advanced=True),
        cfg_input(TURBO, "How strongly to follow the prompt: 1 for Turbo, 3 to 5 for base.", is_advanced=True),
        solver_input(TURBO),
        shift_input(TURBO, is_advanced=True),
        strength_input(is_advanced=True),
    ]


def prompts_input(default: str) -> io.Input:
    return io.String.Input(
        "prompts",
        multiline=True,
        dynamic_prompts=False,  # else the page would decide choices at every run, and draw everything again
        default=default,
        tooltip="What is drawn, one prompt a line; each is drawn with every seed.",
    )


def seeds_input(default: int) -> io.Input:
    return io.Int.Input(
        "seeds",
        default=default,
        min=1,
        max=64,
        tooltip="How many seeds each prompt is drawn with: the seed, then the next numbers. More pictures tell "
        "smaller differences from chance.",
    )
