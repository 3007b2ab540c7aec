"""What is wrong with a finished latent that is made of numbers: one colour, too weak, burnt; and what made it so."""

from dataclasses import dataclass

from .statistics import LatentStatistics

HIGH_CFG = 7.0  # base is made for 3 to 5
TURBO_CFG, TURBO_STEPS = 2.0, (4, 16)  # beyond these Turbo burns, or stays unfinished; it is made for CFG 1, 8 steps
BASE_CFG, BASE_STEPS = (1.5, 8.0), 15  # base needs guidance and 28 to 50 steps
LARGE_CHANGE = 0.5  # of the weights' norm, by LoRAs
SHIFTS = (0.8, 15.0)  # beyond these nearly all steps lie at one end of the noise; 3 for Turbo, 6 for base


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """What a run was told, as far as it is known."""

    cfg: float = 1.0
    steps: int = 8
    shift: float | None = None
    lora_change: float = 0.0  # of the weights, as a share
    attention: str = ""  # what took the place of ComfyUI's


def result_problem(found: LatentStatistics, facts: RunFacts) -> str:
    """One sentence on a finished latent, with the likeliest cause and what to do; empty if it is a picture."""
    about = f"({found.strength:.2g}, where pictures have about 1)"
    if found.is_flat:
        return f"The result is one colour all over: {_cause(facts)}"
    if found.is_burnt:
        return f"The result is burnt, its latent is too strong {about}: {_cause(facts)}"
    if found.is_faint:
        return f"The result is pale, its latent is too weak {about}: {_cause(facts)}"
    return ""


def start_problem(found: LatentStatistics) -> str:
    """One sentence on the latent that a run goes on from; empty if it may be a picture's.

    A flat one is let pass: an empty latent, or a plain colour to paint on.
    """
    if found.is_flat or not (found.is_faint or found.is_burnt):
        return ""
    return (
        f"The latent to start from is of another strength than a picture's ({found.strength:.2g}, where pictures have "
        "about 1), as another model's autoencoder makes it. Encode the picture with Z-Image's (ae.safetensors)."
    )


def lora_problem(change: float) -> str:
    """One sentence on LoRAs that change the weights by this share of their norm; empty for a change like a training's.

    Trained LoRAs change them by a few per cent at strength 1.
    """
    if change <= LARGE_CHANGE:
        return ""
    return (
        f"LoRAs change the weights by {100 * change:.0f} %, far more than any training. Lower their strength in "
        "Z-Image LoRA List."
    )


def settings_problem(facts: RunFacts, *, is_turbo: bool) -> str:
    """One sentence on settings that do not suit a release; empty if they do."""
    low, high = SHIFTS
    if facts.shift is not None and not low <= facts.shift <= high:
        return (
            f"A shift of about {facts.shift:.3g} leaves most steps at one end of the noise. Set 3 for Turbo, 6 for "
            "base."
        )
    if is_turbo and (facts.cfg > TURBO_CFG or not TURBO_STEPS[0] <= facts.steps <= TURBO_STEPS[1]):
        return (
            f"This is Turbo, which is made for 8 steps at CFG 1, and it ran {facts.steps} steps at CFG {facts.cfg:g}."
        )
    if not is_turbo and (not BASE_CFG[0] <= facts.cfg <= BASE_CFG[1] or facts.steps < BASE_STEPS):
        return (
            f"This is base, which is made for 28 to 50 steps at CFG 3 to 5, and it ran {facts.steps} steps at CFG "
            f"{facts.cfg:g}."
        )
    return ""


def _cause(facts: RunFacts) -> str:
    if problem := lora_problem(facts.lora_change):
        return problem
    if facts.cfg > HIGH_CFG:
        return f"CFG {facts.cfg:g} is too high. Set 3 to 5 for base, 1 for Turbo."
    if facts.attention:
        return (
            f"the attention here ({facts.attention}) may not be exact enough. Set attention to ComfyUI's in Z-Image "
            "Optimize, or start ComfyUI without --use-sage-attention."
        )
    return "take off LoRAs, ControlNets and other model patches one by one, and see that the model's file is whole."
