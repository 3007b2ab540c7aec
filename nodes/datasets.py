"""The nodes that read what is trained on: pictures with captions, and pairs for editing."""

from comfy_api.latest import io, ui

from .bridge.tasks.training import dataset as datasets
from .bridge.tasks.training import edit_dataset as pairs
from .bridge.tasks.training.dataset_report import report
from .chinese_words import IN_CHINESE
from .picture_lists import pictures_input

CATEGORY = "Z-Image/training"
DATASET = io.Custom("ZIMAGE_DATASET")
MOST_SIDE, SIDE_STEP = 4096, 16  # pixels


def resolution_input() -> io.Input:
    return io.Int.Input(
        "resolution",
        default=1024,
        min=SIDE_STEP,
        max=MOST_SIDE,
        step=SIDE_STEP,
        tooltip="Pictures keep their shape and get at most the area of a square of this side, in pixels. 512 trains "
        "four times as fast as 1024; 64 for nano.",
    )


def dataset_outputs(told: str) -> list[io.Output]:
    return [
        DATASET.Output(display_name="dataset", tooltip="For Z-Image Train LoRA and Z-Image Train."),
        io.String.Output(display_name="report", tooltip=told),
    ]


class ZImageDataset(io.ComfyNode):
    """A folder of pictures with captions, or pictures and texts of the graph."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImageDataset",
            display_name="Z-Image Dataset",
            category=CATEGORY,
            description="Pictures with captions from a folder inside ComfyUI's input folder: fox.jpg beside fox.txt, "
            "fox.json or a line of metadata.jsonl. Or pictures and texts of other nodes.",
            search_aliases=["training data", "captions", "load dataset", "image folder", *IN_CHINESE["ZImageDataset"]],
            inputs=[
                io.Combo.Input(
                    "folder",
                    options=datasets.folders(),
                    default=datasets.NO_FOLDER,
                    tooltip="A folder inside ComfyUI's input folder, or a list with weights there (.jsonl). Press R "
                    "after putting a new one there.",
                ),
                io.String.Input(
                    "caption",
                    default="",
                    multiline=True,
                    tooltip="What pictures without a text of their own show.",
                ),
                resolution_input(),
                io.Image.Input(
                    "images",
                    optional=True,
                    tooltip="Pictures of other nodes, as a batch or a list: beside those of the folder, or alone "
                    "where it is none.",
                ),
                io.String.Input(
                    "captions",
                    optional=True,
                    force_input=True,
                    tooltip="Their texts, in the same order, or one for all of them.",
                ),
                pictures_input(
                    "The pictures that stay of a folder, with the captions beside them; folder can be none then."
                ),
                io.String.Input(
                    "manifest",
                    optional=True,
                    force_input=True,
                    tooltip="The path of a list of pictures with captions, and how often each is seen (.jsonl), as "
                    "curation writes it. Folder can be none then.",
                ),
            ],
            outputs=dataset_outputs("How many pictures, sizes, words and tokens there are, and what stands twice."),
            is_output_node=True,
            is_input_list=True,  # of pictures that differ in size
        )

    @classmethod
    def fingerprint_inputs(cls, folder: list[str], **inputs: object) -> str:
        return datasets.state(folder[0])

    @classmethod
    def execute(cls, folder, caption, resolution, images=(), captions=(), pictures=(), manifest=()) -> io.NodeOutput:
        dataset = datasets.read(folder[0], caption[0], resolution[0], images, captions, pictures, manifest)
        told = report(dataset)
        return io.NodeOutput(dataset, told, ui=ui.PreviewText(told))


class ZImageEditDataset(io.ComfyNode):
    """Pairs of pictures with what leads from one to the other."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImageEditDataset",
            display_name="Z-Image Edit Dataset",
            category=CATEGORY,
            description="Pairs of pictures, before and after, with an instruction each, from one folder "
            "(fox.source.png, fox.target.png, fox.txt) or from two with equal names.",
            search_aliases=[
                "image pairs",
                "before after",
                "instruction",
                "kontext dataset",
                *IN_CHINESE["ZImageEditDataset"],
            ],
            inputs=[
                io.Combo.Input(
                    "folder",
                    options=pairs.folders(),
                    default=pairs.DEFAULT,
                    tooltip="A folder of pairs inside ComfyUI's input folder. Press R after putting a new one there.",
                ),
                io.Combo.Input(
                    "sources",
                    options=pairs.source_folders(),
                    default=pairs.IN_THE_FOLDER,
                    tooltip="Where the pictures before lie, if not in that folder: another one, with the names of "
                    "the pictures after.",
                ),
                io.String.Input(
                    "instruction",
                    default="",
                    multiline=True,
                    tooltip="Of pairs without a text of their own.",
                ),
                resolution_input(),
                io.ClipVision.Input(
                    "clip_vision",
                    optional=True,
                    tooltip="The vision model, for Omni and Edit models and for nano. A base model, which cannot use "
                    "it, learns from the pictures' latents alone.",
                ),
            ],
            outputs=dataset_outputs("How many pairs, sizes, words and tokens there are, and which pairs look wrong."),
            is_output_node=True,
        )

    @classmethod
    def fingerprint_inputs(cls, folder: str, sources: str, **inputs: object) -> str:
        return pairs.state(folder, sources)

    @classmethod
    def execute(cls, folder, sources, instruction, resolution, clip_vision=None) -> io.NodeOutput:
        dataset = pairs.read(folder, sources, instruction, resolution, clip_vision)
        told = report(dataset)
        return io.NodeOutput(dataset, told, ui=ui.PreviewText(told))


NODES: list[type[io.ComfyNode]] = [ZImageDataset, ZImageEditDataset]
