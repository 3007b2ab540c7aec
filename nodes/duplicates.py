"""The node that finds copies in a folder, and lets a person decide which of them stay."""

from comfy_api.latest import io, ui

from .bridge.tasks.curating import duplicates, picture_list
from .chinese_words import IN_CHINESE
from .datasets import CATEGORY
from .picture_lists import folder_input, list_outputs, pictures_input


class ZImageFindDuplicates(io.ComfyNode):
    """Copies of a folder's pictures, with the best of each kept; a list, nothing is deleted."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImageFindDuplicates",
            display_name="Z-Image Find Duplicates",
            category=CATEGORY,
            description="Finds pictures that are there twice: the same, compressed again, resized, slightly cropped or "
            "mirrored. Shows them side by side; a click keeps or drops one. Writes a list and deletes nothing.",
            search_aliases=["dedup", "deduplicate", "near duplicates", *IN_CHINESE["ZImageFindDuplicates"]],
            inputs=[
                folder_input(),
                io.Float.Input(
                    "difference",
                    default=16.0,
                    min=0.0,
                    max=100.0,
                    step=1.0,
                    tooltip="How far two pictures may differ where they differ most and still be copies, in percent of "
                    "their contrast. Lower keeps more pictures, 0 drops only the same ones.",
                ),
                io.String.Input(
                    "choices",
                    default="",
                    multiline=True,
                    dynamic_prompts=False,
                    advanced=True,
                    tooltip="Your own verdicts, one a line, such as: keep fox.png or drop fox_2.png. Clicks on the "
                    "pictures write them.",
                ),
                pictures_input("Only these of their folder, which takes the place of the folder chosen here."),
            ],
            outputs=list_outputs(),
            is_output_node=True,
        )

    @classmethod
    def fingerprint_inputs(cls, folder: str = "", **inputs: object) -> str:
        return picture_list.state(folder)

    @classmethod
    def execute(cls, folder: str, difference: float, choices: str, pictures=None) -> io.NodeOutput:
        told = duplicates.find_duplicates(folder, difference, choices, pictures)
        shown = {**ui.PreviewText(told.report).as_dict(), "zimage_duplicates": [told.shown]}
        return io.NodeOutput(told.pictures, told.report, told.file, ui=shown)


NODES: list[type[io.ComfyNode]] = [ZImageFindDuplicates]
