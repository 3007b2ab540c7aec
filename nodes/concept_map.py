"""The node that maps what a folder's captions speak of, and what not."""

from comfy_api.latest import io, ui

from .bridge.tasks.curating import concepts, picture_list
from .chinese_words import IN_CHINESE
from .datasets import CATEGORY
from .picture_lists import folder_input, pictures_input


class ZImageConceptMap(io.ComfyNode):
    """Concepts of a folder's captions: common, rare and missing ones, and a page to walk through them."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImageConceptMap",
            display_name="Z-Image Concept Map",
            category=CATEGORY,
            description="Tells which concepts the captions of a folder speak of, in how many pictures each, which are "
            "rare and which are missing. Writes a list and a page to walk through. No caption is changed.",
            search_aliases=["concept graph", "coverage", "dataset balance", *IN_CHINESE["ZImageConceptMap"]],
            inputs=[
                folder_input(),
                io.String.Input(
                    "wanted",
                    default="",
                    multiline=True,
                    dynamic_prompts=False,
                    tooltip="What the pictures should show, one a line, such as: red fox. Told is how many do.",
                ),
                io.Int.Input(
                    "least_uses",
                    display_name="least uses",
                    default=2,
                    min=1,
                    max=1000,
                    tooltip="In how many pictures words have to be to count as a concept. 1 lists all, with mishaps.",
                ),
                io.Combo.Input(
                    "knowledge",
                    options=concepts.knowledge_names(),
                    default=concepts.NONE,
                    tooltip="What there is in the world, so that the map tells what is missing: WordNet, emojibase or "
                    "a dump of Wikipedia in models/concepts. none: what the captions say.",
                ),
                pictures_input("Only these of their folder, which takes the place of the folder chosen here."),
            ],
            outputs=[
                io.String.Output(display_name="report", tooltip="The most common, rarest and missing concepts."),
                io.String.Output(
                    display_name="file",
                    tooltip="The concepts as JSON lines, rarest first, in output/zimage_lists. Beside it is the page.",
                ),
            ],
            is_output_node=True,
        )

    @classmethod
    def fingerprint_inputs(cls, folder: str = "", **inputs: object) -> str:
        return picture_list.state(folder)

    @classmethod
    def execute(cls, folder: str, wanted: str, least_uses: int, knowledge: str, pictures=None) -> io.NodeOutput:
        told = concepts.map_folder(folder, wanted, least_uses, knowledge, pictures)
        shown = {**ui.PreviewText(told.brief).as_dict(), "zimage_concepts": [told.shown]}
        return io.NodeOutput(told.report, told.file, ui=shown)


NODES: list[type[io.ComfyNode]] = [ZImageConceptMap]
