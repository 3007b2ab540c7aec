"""The node that makes one prompt's pictures differ more from seed to seed."""

from comfy_api.latest import io

from ..zimage_core.conditioning.embedding_noise import EmbeddingNoise
from .bridge.tasks import diversity
from .chinese_words import IN_CHINESE
from .sampler_inputs import percent_input, seed_input


class ZImageDiversity(io.ComfyNode):
    """Noise on a prompt's embeddings for the first steps."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImageDiversity",
            display_name="Z-Image Diversity",
            category="Z-Image/conditioning",
            description="Makes the pictures of one prompt differ more: the prompt is read a little wrong in the first "
            "steps, which decide the composition, and as written after that.",
            search_aliases=["seed variance", "variation", "same face", "composition", *IN_CHINESE["ZImageDiversity"]],
            inputs=[
                io.Conditioning.Input(
                    "conditioning", tooltip="The encoded prompt; of Z-Image Text Encode if words are to be protected."
                ),
                seed_input("Decides how the prompt is misread. Let it change together with the sampler's seed."),
                io.Float.Input(
                    "strength",
                    default=EmbeddingNoise.strength,
                    min=0.0,
                    max=100.0,
                    step=0.05,
                    tooltip="How wrong the prompt is read: more differs more and is followed less. 0 changes nothing.",
                ),
                percent_input(
                    "end_percent",
                    EmbeddingNoise.end,
                    "The part of the steps after which the prompt is read as written; 0.25 is the first two of "
                    "eight steps.",
                ),
                io.String.Input(
                    "protect",
                    display_name="protected words",
                    default="",
                    tooltip="Words of the prompt that are always read as written, with commas between them.",
                ),
                io.Boolean.Input(
                    "protect_quoted",
                    display_name="protect quoted text",
                    default=True,
                    tooltip="Whether words in quotation marks, which are to be written in the picture, are always read "
                    "as written.",
                ),
                percent_input(
                    "start_percent",
                    EmbeddingNoise.start,
                    "The part of the steps before which the prompt is read as written.",
                    is_advanced=True,
                ),
                io.Float.Input(
                    "share",
                    default=EmbeddingNoise.share,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    advanced=True,
                    tooltip="How many of the numbers that stand for the prompt are changed.",
                ),
            ],
            outputs=[
                io.Conditioning.Output(
                    display_name="conditioning", tooltip="The prompt for the positive input of any sampler."
                )
            ],
        )

    @classmethod
    def execute(
        cls, conditioning, seed, strength, end_percent, protect, protect_quoted, start_percent, share
    ) -> io.NodeOutput:
        noise = EmbeddingNoise(strength=strength, share=share, start=start_percent, end=end_percent, seed=seed)
        found = diversity.with_noise(conditioning, noise, protect, keeps_quoted=protect_quoted)
        return io.NodeOutput(found.conditioning, ui={"text": [found.note]} if found.note else None)


NODES: list[type[io.ComfyNode]] = [ZImageDiversity]
