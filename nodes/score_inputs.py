"""Inputs that nodes with a score share."""

from comfy_api.latest import io

from .bridge.tasks import scores


def score_input(default: str, *more: str) -> io.Input:
    return io.Combo.Input(
        "score",
        options=[*scores.names(), *more],
        default=default,
        tooltip="What is measured. Word accuracy to OneIG text read the lettering, which needs a reader; CER, noise, "
        "banding and seam strength are better the lower they are; nano's scene is for the built-in model. A judge is "
        "the vision model at the address in ComfyUI's settings; CLIP models, heads and detectors of yours stand below.",
    )


def prompt_input(empty: str) -> io.Input:
    return io.String.Input(
        "prompt",
        multiline=True,
        dynamic_prompts=False,
        default="",
        tooltip=f"What was asked for; texts in quotation marks are those to be read. {empty}",
    )


def texts_input() -> io.Input:
    return io.String.Input(
        "texts",
        display_name="texts to read",
        multiline=True,
        placeholder="texts to read, one a line",
        dynamic_prompts=False,
        default="",
        advanced=True,
        tooltip="The texts that should be readable, one a line, in place of those in the prompt's quotation marks.",
    )


def reader_input() -> io.Input:
    return io.Combo.Input(
        "reader",
        options=list(scores.READERS),
        default=scores.AUTOMATIC,
        advanced=True,
        tooltip="Who reads the lettering. Automatic takes PP-OCRv6 where it is installed, else tesseract; the "
        "vision model is the one at the address in ComfyUI's settings. Numbers of two readers are not comparable.",
    )
