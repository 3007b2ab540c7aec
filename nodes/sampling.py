"""Sampler nodes, with the presets of the released models as defaults, and the schedule by itself."""

from comfy_api.latest import io

from ..zimage_core.sampling import BASE, SOLVERS, TURBO, Guidance, Preset, shifted_schedule
from .bridge.tasks import sampling

CATEGORY = "Z-Image/sampling"
SEED_MAX = 0xFFFFFFFFFFFFFFFF


def seed_input() -> io.Input:
    return io.Int.Input(
        "seed",
        default=0,
        min=0,
        max=SEED_MAX,
        control_after_generate=True,
        tooltip="Which noise to start from. The same seed gives the same noise on every machine.",
    )


def steps_input(preset: Preset, advice: str) -> io.Input:
    return io.Int.Input(
        "steps", default=preset.steps, min=1, max=sampling.MOST_STEPS, tooltip=f"How many steps to take. {advice}"
    )


def solver_input(preset: Preset) -> io.Input:
    return io.Combo.Input(
        "solver",
        options=list(SOLVERS),
        default=preset.solver,
        advanced=True,
        tooltip="How to step: euler as the reference does, res_multistep for more detail at the same cost, "
        "heun for accuracy at nearly twice the cost.",
    )


def shift_input(preset: Preset, *, is_advanced: bool) -> io.Input:
    return io.Float.Input(
        "shift",
        default=preset.shift,
        min=0.1,
        max=100.0,
        step=0.1,
        advanced=is_advanced,
        tooltip="Time spent at high noise, where composition is decided: 3 for Turbo, 6 for base; "
        "1 leaves the schedule unshifted.",
    )


def strength_input() -> io.Input:
    return io.Float.Input(
        "strength",
        default=1.0,
        min=0.0,
        max=1.0,
        step=0.01,
        tooltip="How far to move away from the picture in the latent: 1 draws from scratch, 0.6 runs the last 6 of "
        "10 steps, 0 changes nothing.",
    )


def outputs() -> list[io.Output]:
    return [
        io.Latent.Output(display_name="latent", tooltip="The finished latent, for Z-Image VAE Decode."),
        io.Int.Output(
            display_name="evaluations",
            tooltip="How often the network really ran for each picture: once a step, twice with guidance, "
            "and twice again with heun; what a cache skipped does not count.",
        ),
    ]


MODEL_INPUT = "A Z-Image model from Z-Image Load Model or the stock Load Diffusion Model."
LATENT_INPUT = "A blank latent for text to image, or an encoded picture together with a strength below 1."


class ZImageTurboSampler(io.ComfyNode):
    """Sampling without guidance, for Turbo: 8 NFE by default."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImageTurboSampler",
            display_name="Z-Image Turbo Sampler",
            category=CATEGORY,
            description="Draws with Z-Image-Turbo: 8 steps, no guidance, no negative prompt.",
            search_aliases=["zit", "ksampler", "turbo", "8 steps", "sampler"],
            inputs=[
                io.Model.Input("model", tooltip=MODEL_INPUT),
                io.Conditioning.Input("positive", tooltip="The encoded prompt."),
                io.Latent.Input("latent", tooltip=LATENT_INPUT),
                seed_input(),
                steps_input(TURBO, "Turbo was made for 8; more rarely helps, 4 loses texture and lettering."),
                solver_input(TURBO),
                shift_input(TURBO, is_advanced=True),
                strength_input(),
            ],
            outputs=outputs(),
        )

    @classmethod
    def execute(cls, model, positive, latent, seed, steps, solver, shift, strength) -> io.NodeOutput:
        sigmas = shifted_schedule(steps, shift, strength)
        guidance = Guidance(cfg=TURBO.cfg)
        result = sampling.sample(
            model, positive, positive, latent, sigmas=sigmas, seed=seed, solver=solver, guidance=guidance, shift=shift
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
            search_aliases=["ksampler", "cfg", "guidance", "base", "sampler", "negative prompt"],
            inputs=[
                io.Model.Input("model", tooltip=MODEL_INPUT),
                io.Conditioning.Input("positive", tooltip="The encoded prompt."),
                io.Conditioning.Input(
                    "negative", tooltip="What to avoid, encoded; an empty prompt is fine. Unused at cfg 1."
                ),
                io.Latent.Input("latent", tooltip=LATENT_INPUT),
                seed_input(),
                steps_input(BASE, "25 to 50 for the base model."),
                io.Float.Input(
                    "cfg",
                    default=BASE.cfg,
                    min=1.0,
                    max=100.0,
                    step=0.1,
                    tooltip="How strongly to follow the prompt: 3 to 5 for base, 1 turns guidance off and halves the "
                    "time. One more than the reference's guidance_scale.",
                ),
                solver_input(BASE),
                shift_input(BASE, is_advanced=True),
                strength_input(),
                io.Float.Input(
                    "cfg_normalization",
                    default=0.0,
                    min=0.0,
                    max=10.0,
                    step=0.05,
                    advanced=True,
                    tooltip="Caps how much guidance may strengthen the prediction; 1 tames burnt colours at high cfg, "
                    "0 is no cap.",
                ),
                io.Float.Input(
                    "cfg_truncation",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    advanced=True,
                    tooltip="Lossy below 1: guide only until this part of the noise is gone, which late steps alone "
                    "reach at high shift, and save their second evaluation; 1 guides to the end.",
                ),
                io.Float.Input(
                    "cfg_start",
                    default=0.0,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    optional=True,
                    advanced=True,
                    tooltip="Lossy above 0: guide only once this part of the noise is gone; 0.05 saves the first 7 of "
                    "28 steps at shift 6 their second evaluation. 0 guides from the start.",
                ),
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
    ) -> io.NodeOutput:
        sigmas = shifted_schedule(steps, shift, strength)
        guidance = Guidance(cfg=cfg, normalization=cfg_normalization, truncation=cfg_truncation, start=cfg_start)
        result = sampling.sample(
            model, positive, negative, latent, sigmas=sigmas, seed=seed, solver=solver, guidance=guidance, shift=shift
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
            search_aliases=["scheduler", "basic scheduler", "shift", "auraflow", "flow match"],
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
