"""The node that searches a folder by words or by a picture."""

from comfy_api.latest import io, ui

from .bridge.tasks.curating import picture_list, search
from .chinese_words import IN_CHINESE
from .datasets import CATEGORY
from .picture_lists import PICTURES, folder_input, pictures_input


class ZImageSearchPictures(io.ComfyNode):
    """Pictures of a folder that are nearest to words or to a picture, as a wall and as a list."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImageSearchPictures",
            display_name="Z-Image Search Pictures",
            category=CATEGORY,
            description="Searches a folder by words or by a picture and shows what it finds, best first, with the "
            "score. The list goes on to Caption Folder or Dataset. No file is changed or removed.",
            search_aliases=["find images", "image search", "CLIP search", *IN_CHINESE["ZImageSearchPictures"]],
            inputs=[
                folder_input(),
                io.String.Input(
                    "words",
                    default="",
                    multiline=True,
                    dynamic_prompts=False,
                    tooltip="What the pictures should show, such as: a red fox. Clear it where a picture is connected.",
                ),
                io.Int.Input("most", default=24, min=1, max=100, tooltip="How many pictures are found at most."),
                io.Combo.Input(
                    "encoder",
                    options=search.encoder_names(),
                    default=search.AUTOMATIC,
                    tooltip="Who compares. automatic: the first CLIP or SigLIP of models/clip_vision, else as built "
                    "in. captions and looks: words with the captions of the pictures, a picture by colours and shapes "
                    "seen from afar.",
                ),
                io.Image.Input(
                    "image", optional=True, tooltip="A picture to search by, in place of words; of several any counts."
                ),
                pictures_input("Only these of their folder, which takes the place of the folder chosen here."),
            ],
            outputs=[
                PICTURES.Output(
                    display_name="pictures",
                    tooltip="The pictures found: for Z-Image Find Duplicates, Caption Folder or Dataset.",
                ),
                io.String.Output(
                    display_name="report", tooltip="How many were found, by whom, and each with its score."
                ),
                io.String.Output(
                    display_name="file",
                    tooltip="A text with the names of the pictures found, best first, in output/zimage_lists.",
                ),
                io.Image.Output(display_name="image", tooltip="The best of them."),
            ],
            is_output_node=True,
        )

    @classmethod
    def fingerprint_inputs(cls, folder: str = "", **inputs: object) -> str:
        return picture_list.state(folder)

    @classmethod
    def execute(cls, folder: str, words: str, most: int, encoder: str, image=None, pictures=None) -> io.NodeOutput:
        told = search.search_pictures(folder, words, most, encoder, image, pictures)
        shown = {**ui.PreviewText(told.brief).as_dict(), "zimage_search": [told.shown]}
        return io.NodeOutput(told.pictures, told.report, told.file, told.image, ui=shown)


NODES: list[type[io.ComfyNode]] = [ZImageSearchPictures]
