"""What a model file is."""

from comfy_api.latest import io, ui

from .bridge.loading import files, inspection
from .chinese_words import IN_CHINESE


class ZImageInspectFile(io.ComfyNode):
    """A second look at a download, without loading it."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        choices = files.all_choices()
        return io.Schema(
            node_id="ZImageInspectFile",
            display_name="Z-Image Inspect File",
            category="Z-Image/tools",
            description="Says what a model file is, whether it is complete and in which folder it belongs, "
            "from its header alone.",
            search_aliases=[
                "metadata",
                "file info",
                "what is this model",
                "lora info",
                "safetensors header",
                "gguf",
                *IN_CHINESE["ZImageInspectFile"],
            ],
            inputs=[
                io.Combo.Input(
                    "file",
                    options=choices,
                    default=choices[0],
                    tooltip="Any file from your model folders; the built-in ones come last.",
                )
            ],
            outputs=[
                io.String.Output(
                    display_name="report",
                    tooltip="What the file is; its number format, layout, size and folder; for a LoRA also who wrote "
                    "it, its kind, rank and alpha.",
                )
            ],
            is_output_node=True,
        )

    @classmethod
    def fingerprint_inputs(cls, file: str) -> str:
        return files.file_state(files.all_choices_path(file))

    @classmethod
    def execute(cls, file: str) -> io.NodeOutput:
        report = inspection.description(files.all_choices_path(file))
        return io.NodeOutput(report, ui=ui.PreviewText(report))


NODES: list[type[io.ComfyNode]] = [ZImageInspectFile]
