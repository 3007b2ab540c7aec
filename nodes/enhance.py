"""Prompts that say all a painter needs, by the language model that reads them."""

from comfy_api.latest import io

from ..zimage_core.language.writing_tasks import PROMPT
from .bridge.page import enhanced_prompts
from .bridge.tasks import enhancing
from .chinese_words import IN_CHINESE
from .sampler_inputs import CLIP_INPUT, seed_input

WHEN = ("always", "when it needs reasoning", "off")
LANGUAGES = ("as the request", "English", "Chinese")
WRITERS = (enhancing.ENCODER, enhancing.SERVER)
KINDS = tuple(enhancing.KINDS)
MOST_VARIATIONS = 16


class ZImageEnhancePrompt(io.ComfyNode):
    """Rewrites a short request as a full prompt, and keeps what was said."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImageEnhancePrompt",
            display_name="Z-Image Enhance Prompt",
            category="Z-Image/conditioning",
            description="Writes a full prompt from a short request with the text encoder that is loaded anyway. Texts "
            "in quotation marks stay letter by letter, or the request comes back.",
            search_aliases=[
                "prompt enhancer",
                "magic prompt",
                "rewrite prompt",
                "expand prompt",
                "LLM",
                "reasoning",
                *IN_CHINESE["ZImageEnhancePrompt"],
            ],
            inputs=[
                io.Clip.Input("clip", display_name="CLIP", tooltip=CLIP_INPUT),
                io.String.Input(
                    "request",
                    multiline=True,
                    tooltip="What the picture should show, as short as you like. A riddle, a sum or a question is "
                    "worked out first. What is to be read in the picture stands in quotation marks.",
                ),
                io.Combo.Input(
                    "when",
                    options=list(WHEN),
                    default=WHEN[0],
                    tooltip="Rewrite always, only a request that has to be worked out, or never. Long prompts are left "
                    "better alone.",
                ),
                io.Combo.Input(
                    "language",
                    options=list(LANGUAGES),
                    default=LANGUAGES[0],
                    tooltip="The language of the prompt. Quoted texts keep theirs.",
                ),
                io.Combo.Input(
                    "length",
                    options=list(PROMPT.lengths),
                    default="medium",
                    advanced=True,
                    tooltip="How much to write: 60 to 80 words, 120 to 160, or 250 to 350; in Chinese, characters.",
                ),
                seed_input("Which words are drawn. Another seed writes another prompt.", control_after_generate=True),
                io.Int.Input(
                    "thinking",
                    default=1024,
                    min=0,
                    max=8192,
                    step=64,
                    tooltip="Tokens the model may think before it writes. 0 is much faster; riddles need some.",
                ),
                io.Combo.Input(
                    "instruction",
                    options=enhancing.instruction_names(),
                    default=enhancing.BY_LANGUAGE,
                    advanced=True,
                    tooltip="What the model is told. Your own .md files in user/zimage/instructions/enhance stand "
                    "here.",
                ),
                io.Boolean.Input(
                    "keep_on_disk",
                    display_name="keep on disk",
                    default=False,
                    advanced=True,
                    tooltip="Keeps what was written in user/zimage/enhanced, so that ComfyUI finds it after a restart.",
                ),
                io.String.Input(
                    "own_prompt",
                    display_name="own prompt",
                    multiline=True,
                    default="",
                    optional=True,
                    tooltip="Your own version of the prompt. As long as something stands here it is used as it is, and "
                    "the model is not asked.",
                ),
                io.Combo.Input(
                    "writer",
                    options=list(WRITERS),
                    default=WRITERS[0],
                    optional=True,
                    advanced=True,
                    tooltip="Who writes: the connected text encoder, or the language server whose address stands in "
                    "ComfyUI's settings under Z-Image.",
                ),
                io.Combo.Input(
                    "kind",
                    options=list(KINDS),
                    default=KINDS[0],
                    optional=True,
                    advanced=True,
                    tooltip="What is written: the prompt, what to keep away from (for guidance or Z-Image NAG), or an "
                    "instruction for Z-Image Edit Encode.",
                ),
                io.Int.Input(
                    "variations",
                    default=1,
                    min=1,
                    max=MOST_VARIATIONS,
                    optional=True,
                    advanced=True,
                    tooltip="How many texts that differ. Connect 'prompts' to draw one picture of each.",
                ),
                io.Image.Input(
                    "images",
                    optional=True,
                    tooltip="The pictures that an edit instruction is about. Only a language server that sees looks at "
                    "them.",
                ),
                io.String.Input(
                    "earlier",
                    optional=True,
                    force_input=True,
                    tooltip="The prompt that the request changes, from an Enhance Prompt before this one; for an edit "
                    "instruction, the earlier ones.",
                ),
            ],
            outputs=[
                io.String.Output(display_name="prompt", tooltip="For the prompt of Z-Image Text Encode."),
                io.String.Output(display_name="reasoning", tooltip="What the model thought before it wrote."),
                io.Boolean.Output(
                    display_name="changed", tooltip="Whether the prompt is another text than the request."
                ),
                io.String.Output(
                    display_name="prompts",
                    is_output_list=True,
                    tooltip="All variations, one after the other: what is connected here runs once for each.",
                ),
            ],
            hidden=[io.Hidden.prompt, io.Hidden.extra_pnginfo, io.Hidden.unique_id],
        )

    @classmethod
    def fingerprint_inputs(cls, instruction: str = "", writer: str = WRITERS[0], **inputs: object) -> str:
        return f"{enhancing.instruction_state(instruction)} {enhancing.server_state(writer)}"

    @classmethod
    def execute(
        cls,
        clip,
        request: str,
        when: str,
        language: str,
        length: str,
        seed: int,
        thinking: int,
        instruction: str,
        keep_on_disk: bool,
        own_prompt: str = "",
        writer: str = WRITERS[0],
        kind: str = KINDS[0],
        variations: int = 1,
        images=None,
        earlier: str = "",
    ) -> io.NodeOutput:
        if own_prompt.strip():
            written = enhancing.own(own_prompt, request)
            enhanced_prompts.tell(cls.hidden, written.facts)
            return io.NodeOutput(written.prompts[0], "", written.is_changed, written.prompts)
        wish = enhancing.wish(
            kind=kind, when=when, language=language, length=length, seed=seed, thinking=thinking, earlier=earlier
        )
        written = enhancing.enhanced(
            clip, writer, request, instruction, wish, variations, images, keeps_on_disk=keep_on_disk
        )
        enhanced_prompts.tell(cls.hidden, written.facts)
        editable = enhancing.BETWEEN.join(written.prompts) if written.is_changed else ""
        shown = {"text": [written.shown], "zimage_written": [editable]} if written.shown else None
        return io.NodeOutput(written.prompts[0], written.reasoning, written.is_changed, written.prompts, ui=shown)


NODES: list[type[io.ComfyNode]] = [ZImageEnhancePrompt]
