"""The socket that carries which pictures of a folder stay, and the widgets of the nodes that make such a list."""

from comfy_api.latest import io

from .bridge.tasks.captioning import pictures

PICTURES = io.Custom("ZIMAGE_PICTURES")


def pictures_input(tooltip: str) -> io.Input:
    return PICTURES.Input("pictures", optional=True, tooltip=tooltip)


def folder_input() -> io.Input:
    return io.Combo.Input(
        "folder",
        options=pictures.folder_names(),
        default=pictures.NO_FOLDER,
        tooltip="A folder inside ComfyUI's input folder. Press R after putting a new one there.",
    )


def list_outputs() -> list[io.Output]:
    return [
        PICTURES.Output(
            display_name="pictures",
            tooltip="The pictures that stay: for Z-Image Find Duplicates, Caption Folder or Dataset.",
        ),
        io.String.Output(display_name="report", tooltip="How many pictures there are, and how many stay."),
        io.String.Output(
            display_name="file",
            tooltip="A text with the names of the pictures that stay, one a line, in output/zimage_lists.",
        ),
    ]
