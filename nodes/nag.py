"""A negative prompt without guidance: normalized attention guidance."""

from comfy_api.latest import io, ui

from ..zimage_core.conditioning.nag import NormalizedGuidance
from .bridge.patches import nag
from .chinese_words import IN_CHINESE
from .sampler_inputs import percent_input


class ZImageNAG(io.ComfyNode):
    """Gives a model a negative prompt that acts at CFG 1."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImageNAG",
            display_name="Z-Image NAG",
            category="Z-Image/sampling",
            description="A negative prompt at CFG 1, so for Turbo too: normalized attention guidance moves the picture "
            "away from it inside every layer. Costs far less than CFG.",
            search_aliases=[
                "nag",
                "normalized attention guidance",
                "negative prompt",
                "turbo negative",
                "cfg 1",
                *IN_CHINESE["ZImageNAG"],
            ],
            inputs=[
                io.Model.Input("model", tooltip="A Z-Image model from any loader."),
                io.Conditioning.Input("negative", tooltip="What the picture should not have, encoded."),
                io.Float.Input(
                    "scale",
                    default=nag.DEFAULT.scale,
                    min=1.0,
                    max=50.0,
                    step=0.1,
                    tooltip="How far to move away from the negative prompt, counted as NAGuidance counts it: 1 is off.",
                ),
                io.Float.Input(
                    "tau",
                    default=nag.DEFAULT.tau,
                    min=0.1,
                    max=10.0,
                    step=0.1,
                    advanced=True,
                    tooltip="How many times larger than without guidance attention's result may become.",
                ),
                io.Float.Input(
                    "alpha",
                    default=nag.DEFAULT.alpha,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    advanced=True,
                    tooltip="Part of the guided result in the mixture with the unguided one; 0 is off.",
                ),
                percent_input(
                    "start_percent",
                    nag.DEFAULT_PERCENTS[0],
                    "The part of the run at which it begins to act.",
                    is_advanced=True,
                ),
                percent_input(
                    "end_percent",
                    nag.DEFAULT_PERCENTS[1],
                    "The part of the run at which it ends. Early steps decide what is in the picture; steps "
                    "after the end cost nothing.",
                    is_advanced=True,
                ),
            ],
            outputs=[
                io.Model.Output(
                    display_name="model",
                    tooltip="The model with the negative prompt, for any sampler; the input is unchanged.",
                )
            ],
        )

    @classmethod
    def execute(cls, model, negative, scale, tau, alpha, start_percent, end_percent) -> io.NodeOutput:
        guidance = NormalizedGuidance(scale=scale, tau=tau, alpha=alpha)
        guided = nag.with_nag(model, negative, guidance, (start_percent, end_percent))
        note = nag.zeroed_note(negative)
        return io.NodeOutput(guided, ui=ui.PreviewText(note) if note else None)


NODES: list[type[io.ComfyNode]] = [ZImageNAG]
