"""The node that captions the pictures of a folder, with a table to go through them."""

from comfy_api.latest import io, ui

from .bridge.tasks.captioning import folder as folders
from .bridge.tasks.captioning import pictures
from .bridge.tasks.curating import picture_list
from .caption import captioner_input, language_input
from .chinese_words import IN_CHINESE
from .picture_lists import PICTURES, pictures_input
from .sampler_inputs import seed_input


class ZImageCaptionFolder(io.ComfyNode):
    """A caption for every picture of a folder, or a difference for every pair."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImageCaptionFolder",
            display_name="Z-Image Caption Folder",
            category="Z-Image/training",
            description="Captions the pictures of a folder, or what changes between edits of one picture, and shows "
            "them in a table to edit, approve or ask again. Cancel keeps what is written; queue again to go on.",
            search_aliases=["caption dataset", "tagger", "batch caption", "VLM", *IN_CHINESE["ZImageCaptionFolder"]],
            inputs=[
                io.Combo.Input(
                    "folder",
                    options=pictures.folder_names(),
                    default=pictures.NO_FOLDER,
                    tooltip="A folder inside ComfyUI's input folder. Press R after putting a new one there.",
                ),
                io.Combo.Input(
                    "kind",
                    options=folders.KINDS,
                    default="medium",
                    tooltip="tags; short, a sentence; medium, 40 to 70 words; long, 120 to 200, in which every text "
                    "stands; user, a request as people type it; difference, the instruction that makes one picture "
                    "from another: cat_1, cat_2 and cat_3 give six.",
                ),
                language_input(),
                captioner_input(),
                seed_input(
                    "Which words are drawn. Another seed writes all captions again, but those that a person wrote or "
                    "approved.",
                    control_after_generate=False,
                ),
                io.Boolean.Input(
                    "text_files",
                    display_name="text files",
                    default=True,
                    tooltip="Also write cat.txt beside cat.png, as trainers read it. One that you wrote or edited "
                    "stays as it is.",
                ),
                io.Combo.Input(
                    "targets",
                    options=pictures.target_names(),
                    default=pictures.NO_FOLDER,
                    advanced=True,
                    tooltip="For difference: a second folder, with what the pictures became under the same names.",
                ),
                pictures_input("Only these of their folder, which takes the place of the folder chosen here."),
            ],
            outputs=[
                io.String.Output(display_name="report", tooltip="How many captions there are, and what failed."),
                io.String.Output(
                    display_name="file", tooltip="The file of all captions, one a line as JSON, in the folder."
                ),
                PICTURES.Output(display_name="pictures", tooltip="The pictures captioned, for Z-Image Dataset."),
            ],
            is_output_node=True,
        )

    @classmethod
    def fingerprint_inputs(cls, captioner: str = "", seed: int = 0, pictures=None, **place) -> str | float:
        return folders.state(folders.Place(**place), captioner)

    @classmethod
    def execute(cls, captioner: str, seed: int, folder: str, pictures=None, **place) -> io.NodeOutput:
        listed = pictures or picture_list.all_of(folder)
        where = folders.Place(folder=listed.folder, **place)
        told = folders.caption_pictures(where, captioner, seed, pictures.names if pictures else None)
        only = "\n".join(pictures.names) if pictures else ""  # what the table shows
        shown = {**ui.PreviewText(told.report).as_dict(), "zimage_captioned": [only]}
        return io.NodeOutput(told.report, told.file, listed, ui=shown)


NODES: list[type[io.ComfyNode]] = [ZImageCaptionFolder]
