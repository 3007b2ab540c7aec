"""Writing prompts: choices, wildcards and styles."""

from comfy_api.latest import io

from .bridge.loading import prompt_files
from .bridge.tasks import prompt_writing
from .chinese_words import IN_CHINESE
from .sampler_inputs import seed_input


class ZImagePrompt(io.ComfyNode):
    """Decides what a prompt leaves open, by seed."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImagePrompt",
            display_name="Z-Image Prompt",
            category="Z-Image/conditioning",
            description="Writes a prompt from choices, wildcards and a style. The seed decides, and the saved picture "
            "names the finished prompt.",
            search_aliases=[
                "wildcard",
                "dynamic prompt",
                "random prompt",
                "style",
                "styles.csv",
                *IN_CHINESE["ZImagePrompt"],
            ],
            inputs=[
                io.String.Input(
                    "text",
                    multiline=True,
                    dynamic_prompts=False,  # else the page would decide the choices, unrecorded, before the node does
                    tooltip="What the picture should show. {red|blue} picks one text, {2$$red|blue|green} two, {3::red|"
                    "blue} red three times as often; __name__ picks a line of your file name.txt.",
                ),
                io.Combo.Input(
                    "style",
                    options=[prompt_writing.NO_STYLE, *prompt_files.style_names()],
                    default=prompt_writing.NO_STYLE,
                    tooltip="How the picture is made: a sentence added in the language of the prompt. Your own styles "
                    "come first.",
                ),
                seed_input("Decides choices and wildcards. The same seed writes the same prompt on every machine."),
            ],
            outputs=[
                io.String.Output(
                    display_name="prompt", tooltip="The finished prompt, for the prompt of Z-Image Text Encode."
                )
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, text, style, seed) -> str:
        return prompt_files.state()

    @classmethod
    def execute(cls, text: str, style: str, seed: int) -> io.NodeOutput:
        prompt = prompt_writing.written(text, style, seed)
        return io.NodeOutput(prompt, ui={"text": [prompt]} if prompt != text else None)


NODES: list[type[io.ComfyNode]] = [ZImagePrompt]
