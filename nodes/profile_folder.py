"""The node that looks through a folder: what its pictures are, and which of them are odd."""

from comfy_api.latest import io, ui

from .bridge.tasks.curating import picture_list, profile, scored_column
from .chinese_words import IN_CHINESE
from .datasets import CATEGORY
from .picture_lists import folder_input, list_outputs, pictures_input


class ZImageProfileFolder(io.ComfyNode):
    """Measures of a folder's pictures, proposed thresholds, and a list without what a person leaves out."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImageProfileFolder",
            display_name="Z-Image Profile Folder",
            category=CATEGORY,
            description="Measures every picture of a folder: sharpness, noise, exposure, compression, and what cannot "
            "be read. Shows the odd ones; a click leaves them out. No file is changed or removed.",
            search_aliases=[
                "filter images",
                "clean dataset",
                "blurry",
                "image quality",
                *IN_CHINESE["ZImageProfileFolder"],
            ],
            inputs=[
                folder_input(),
                io.String.Input(
                    "leave_out",
                    display_name="leave out",
                    default="",
                    multiline=True,
                    dynamic_prompts=False,
                    tooltip="What is left out, one condition a line, such as: sharpness < 20 or width < 512. Buttons "
                    "on the node write the proposed ones. Files that cannot be read are left out always.",
                ),
                pictures_input("Only these of their folder, which takes the place of the folder chosen here."),
                io.Combo.Input(
                    "score",
                    options=scored_column.names(),
                    default=scored_column.NONE,
                    optional=True,
                    tooltip="A measure more, which conditions can name: how much of a picture is text, or what a model "
                    "of yours says of it and of the caption beside it. CLIP models, heads and detectors stand below.",
                ),
            ],
            outputs=list_outputs(),
            is_output_node=True,
        )

    @classmethod
    def fingerprint_inputs(cls, folder: str = "", **inputs: object) -> str:
        return picture_list.state(folder)

    @classmethod
    def execute(cls, folder: str, leave_out: str, pictures=None, score: str = scored_column.NONE) -> io.NodeOutput:
        told = profile.profile_folder(folder, leave_out, pictures, score)
        shown = {**ui.PreviewText(told.brief).as_dict(), "zimage_profile": [told.shown]}
        return io.NodeOutput(told.pictures, told.report, told.file, ui=shown)


NODES: list[type[io.ComfyNode]] = [ZImageProfileFolder]
