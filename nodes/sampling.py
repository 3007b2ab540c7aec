"""Sampler nodes, and the schedule by itself."""

from comfy_api.latest import io

from ..zimage_core.sampling import BASE, LAST_STEP, TURBO, Guidance, StepRange, shifted_schedule
from .bridge.tasks import sampling
from .chinese_words import IN_CHINESE
from .sampler_inputs import (
    LATENT_INPUT,
    MODEL_INPUT,
    cfg_input,
    outputs,
    range_inputs,
    seed_input,
    seed_per_picture_input,
    shift_input,
    solver_input,
    steps_input,
    strength_input,
)

CATEGORY = "Z-Image/sampling"


class ZImageTurboSampler(io.ComfyNode):
    """Sampling without guidance, for Turbo: 8 NFE by default."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImageTurboSampler",
            display_name="Z-Image Turbo Sampler",
            category=CATEGORY,
            description="Draws with Z-Image-Turbo: 8 steps, no guidance, no negative prompt.",
            search_aliases=[
                "zit",
                "ksampler",
                "turbo",
                "8 steps",
                "sampler",
                "tongyi",
                *IN_CHINESE["ZImageTurboSampler"],
            ],
            inputs=[
                io.Model.Input("model", tooltip=MODEL_INPUT),
                io.Conditioning.Input("positive", tooltip="The encoded prompt."),
                io.Latent.Input("latent", tooltip=LATENT_INPUT),
                seed_input(),
                steps_input(TURBO, "Turbo was made for 8; more rarely helps, 4 loses texture and lettering."),
                solver_input(TURBO),
                shift_input(TURBO, is_advanced=True),
                strength_input(),
                *range_inputs(),
                seed_per_picture_input(),
            ],
            outputs=outputs(),
        )

    @classmethod
    def execute(
        cls,
        model,
        positive,
        latent,
        seed,
        steps,
        solver,
        shift,
        strength,
        add_noise=True,
        start_at_step=0,
        end_at_step=LAST_STEP,
        return_with_leftover_noise=False,
        seed_per_picture=False,
    ) -> io.NodeOutput:
        taken = StepRange(start=start_at_step, end=end_at_step, keeps_noise=return_with_leftover_noise)
        result = sampling.sample(
            *(model, positive, positive, latent),
            sigmas=taken.of(shifted_schedule(steps, shift, strength), steps),
            seed=seed,
            solver=solver,
            guidance=Guidance(cfg=TURBO.cfg),
            shift=shift,
            adds_noise=add_noise,
            has_seed_per_picture=seed_per_picture,
        )
        return io.NodeOutput(result.latent, result.nfe, ui=result.ui())


class ZImageSampler(io.ComfyNode):
    """Sampling with classifier-free guidance, for the base model and its finetunes."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImageSampler",
            display_name="Z-Image Sampler",
            category=CATEGORY,
            description="Draws with Z-Image (base) and other undistilled models: guidance toward the prompt and away "
            "from the negative prompt.",
            search_aliases=[
                "ksampler",
                "cfg",
                "guidance",
                "base",
                "sampler",
                "negative prompt",
                "tongyi",
                *IN_CHINESE["ZImageSampler"],
            ],
            inputs=[
                io.Model.Input("model", tooltip=MODEL_INPUT),
                io.Conditioning.Input("positive", tooltip="The encoded prompt."),
                io.Conditioning.Input(
                    "negative", tooltip="What to avoid, encoded; an empty prompt is fine. Unused at CFG 1."
                ),
                io.Latent.Input("latent", tooltip=LATENT_INPUT),
                seed_input(),
                steps_input(BASE, "25 to 50 for the base model."),
                cfg_input(
                    BASE,
                    "How strongly to follow the prompt: 3 to 5 for base, 1 turns guidance off and halves the time. One "
                    "more than the reference's guidance_scale.",
                ),
                solver_input(BASE),
                shift_input(BASE, is_advanced=True),
                strength_input(),
                io.Float.Input(
                    "cfg_normalization",
                    display_name="CFG normalization",
                    default=0.0,
                    min=0.0,
                    max=10.0,
                    step=0.05,
                    advanced=True,
                    tooltip="Caps how much guidance may strengthen the prediction; 1 tames burnt colours at high CFG, "
                    "0 is no cap.",
                ),
                io.Float.Input(
                    "cfg_truncation",
                    display_name="CFG end",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    advanced=True,
                    tooltip="Lossy below 1: guide only until this part of the noise is gone, which late steps alone "
                    "reach at high shift, and save their second model call; 1 guides to the end.",
                ),
                io.Float.Input(
                    "cfg_start",
                    display_name="CFG start",
                    default=0.0,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    optional=True,
                    advanced=True,
                    tooltip="Lossy above 0: guide only once this part of the noise is gone; 0.05 saves the first 7 of "
                    "28 steps at shift 6 their second model call. 0 guides from the start.",
                ),
                *range_inputs(),
                seed_per_picture_input(),
            ],
            outputs=outputs(),
        )

    @classmethod
    def execute(
        cls,
        model,
        positive,
        negative,
        latent,
        seed,
        steps,
        cfg,
        solver,
        shift,
        strength,
        cfg_normalization,
        cfg_truncation,
        cfg_start=0.0,
        add_noise=True,
        start_at_step=0,
        end_at_step=LAST_STEP,
        return_with_leftover_noise=False,
        seed_per_picture=False,
    ) -> io.NodeOutput:
        taken = StepRange(start=start_at_step, end=end_at_step, keeps_noise=return_with_leftover_noise)
        result = sampling.sample(
            *(model, positive, negative, latent),
            sigmas=taken.of(shifted_schedule(steps, shift, strength), steps),
            seed=seed,
            solver=solver,
            guidance=Guidance(cfg=cfg, normalization=cfg_normalization, truncation=cfg_truncation, start=cfg_start),
            shift=shift,
            adds_noise=add_noise,
            has_seed_per_picture=seed_per_picture,
        )
        return io.NodeOutput(result.latent, result.nfe, ui=result.ui())


class ZImageSigmas(io.ComfyNode):
    """The noise schedule as SIGMAS, for SamplerCustomAdvanced."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImageSigmas",
            display_name="Z-Image Sigmas",
            category=CATEGORY,
            description="Z-Image's exact noise schedule for custom sampling.",
            search_aliases=[
                "scheduler",
                "basic scheduler",
                "shift",
                "auraflow",
                "flow match",
                *IN_CHINESE["ZImageSigmas"],
            ],
            inputs=[
                steps_input(TURBO, "8 for Turbo, 25 to 50 for base."),
                shift_input(TURBO, is_advanced=False),
                strength_input(),
            ],
            outputs=[io.Sigmas.Output(display_name="sigmas", tooltip="Noise levels from 1 (noise) to 0 (picture).")],
        )

    @classmethod
    def execute(cls, steps: int, shift: float, strength: float) -> io.NodeOutput:
        return io.NodeOutput(shifted_schedule(steps, shift, strength))


NODES: list[type[io.ComfyNode]] = [ZImageTurboSampler, ZImageSampler, ZImageSigmas]
