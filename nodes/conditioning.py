"""Prompt encoding."""

from comfy_api.latest import io

from .bridge.loading import prompt_cache
from .bridge.tasks import prompts, word_weights
from .chinese_words import IN_CHINESE
from .sampler_inputs import CLIP_INPUT

KEEP = "keep every token"
CUT = "cut at 512 tokens"


def clip_input() -> io.Input:
    """Any CLIP of Qwen3."""
    return io.Clip.Input(
        "clip",
        display_name="CLIP",
        tooltip=CLIP_INPUT,
    )


def long_prompts_input() -> io.Input:
    """What becomes of tokens beyond 512."""
    return io.Combo.Input(
        "long_prompts",
        display_name="long prompts",
        options=[KEEP, CUT],
        default=KEEP,
        advanced=True,
        tooltip="Prompts beyond 512 tokens: keep them whole, as ComfyUI does, or cut them at the length "
        "the model was trained with, as the reference pipeline does.",
    )


def remember_input() -> io.Input:
    """The cache of prompts."""
    return io.Combo.Input(
        "remember",
        display_name="prompt cache",
        options=[prompt_cache.MEMORY, prompt_cache.DISK, prompt_cache.OFF],
        default=prompt_cache.MEMORY,
        optional=True,
        advanced=True,
        tooltip="Keeps encoded prompts, so that the text encoder is not loaded for one it has read before: "
        "until ComfyUI ends, or also in ComfyUI's user folder for the next start. The conditioning is the "
        "same, bit for bit.",
    )


def prompt_input(tooltip: str) -> io.Input:
    return io.String.Input("prompt", multiline=True, dynamic_prompts=True, tooltip=tooltip)


def prompt_outputs(tokens: str) -> list[io.Output]:
    """The encoded prompt, and its tokens with this tooltip."""
    return [
        io.Conditioning.Output(display_name="conditioning", tooltip="The encoded prompt, for any sampler."),
        io.String.Output(display_name="tokens", tooltip=tokens),
    ]


class ZImageTextEncode(io.ComfyNode):
    """Encodes a prompt in Qwen3's chat template."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImageTextEncode",
            display_name="Z-Image Text Encode",
            category="Z-Image/conditioning",
            description="Encodes a prompt, in English or Chinese, for Z-Image and tells how many tokens it has.",
            search_aliases=[
                "prompt",
                "clip text encode",
                "positive",
                "negative",
                "token count",
                *IN_CHINESE["ZImageTextEncode"],
            ],
            inputs=[
                clip_input(),
                prompt_input(
                    "What the picture should show. Whole sentences work best; words to be written in the "
                    "picture go in quotation marks. An empty prompt is allowed."
                ),
                long_prompts_input(),
                remember_input(),
            ],
            outputs=prompt_outputs("How many tokens the prompt has, and whether any were cut."),
        )

    @classmethod
    def execute(cls, clip, prompt: str, long_prompts: str, remember: str = prompt_cache.MEMORY) -> io.NodeOutput:
        conditioning, tokens = prompts.encode(clip, prompt, is_cut=long_prompts == CUT, remember=remember)
        told = tokens.describe()
        return io.NodeOutput(conditioning, told, ui={"text": [told]} if tokens.is_truncated else None)


class ZImageWeightedEncode(io.ComfyNode):
    """Encodes a prompt in which words have weights."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImageWeightedEncode",
            display_name="Z-Image Weighted Encode",
            category="Z-Image/conditioning",
            description="Encodes a prompt with weighted words: (red:1.5) stronger, (red:0.5) weaker, (red:-1) its "
            "contrary. Works with every model and sampler.",
            search_aliases=[
                "prompt weights",
                "attention weights",
                "emphasis",
                "negpip",
                "clip text encode",
                *IN_CHINESE["ZImageWeightedEncode"],
            ],
            inputs=[
                clip_input(),
                prompt_input(
                    "Words in brackets that end in a colon and a number have that weight, from -4 to 4: "
                    "(snow:1.5). Other brackets are text, and so is everything in quotation marks."
                ),
                long_prompts_input(),
                remember_input(),
            ],
            outputs=prompt_outputs("How many tokens the prompt has, and which words have which weights."),
        )

    @classmethod
    def execute(cls, clip, prompt: str, long_prompts: str, remember: str = prompt_cache.MEMORY) -> io.NodeOutput:
        conditioning, tokens, weights = word_weights.encode(clip, prompt, is_cut=long_prompts == CUT, remember=remember)
        told = f"{tokens.describe()}; weights: {weights}" if weights else f"{tokens.describe()}; weights: none"
        return io.NodeOutput(conditioning, told, ui={"text": [told]})


NODES: list[type[io.ComfyNode]] = [ZImageTextEncode, ZImageWeightedEncode]
