"""Inputs of nodes that make a LoRA from what a model draws itself; 0 takes what suits the model."""

from comfy_api.latest import io

from .bridge.tasks.training import prompt_list
from .datasets import MOST_SIDE, SIDE_STEP
from .sampler_inputs import CLIP_INPUT, VAE_INPUT, seed_input


def network_inputs(model: str) -> list[io.Input]:
    return [
        io.Model.Input("model", tooltip=model),
        io.Clip.Input("clip", display_name="CLIP", tooltip=CLIP_INPUT),
        io.Vae.Input("vae", display_name="VAE", tooltip=VAE_INPUT),
    ]


def prompts_file_input(*, is_advanced: bool | None = True) -> io.Input:
    return io.Combo.Input(
        "prompts_file",
        display_name="prompts file",
        options=prompt_list.prompt_files(),
        default=prompt_list.NO_FILE,
        advanced=is_advanced,
        tooltip="A text file in ComfyUI's input folder with a prompt a line, added to those above. Press R after "
        "putting a new one there.",
    )


def drawing_inputs(*, seed: str, rate: str, rank: str, cfg: str, batch: str) -> list[io.Input]:
    """All of them advanced; the arguments are their tooltips."""
    return [
        seed_input(seed, control_after_generate=False, is_advanced=True),
        io.Float.Input(
            "learning_rate",
            display_name="learning rate",
            default=0.0,
            min=0.0,
            max=1.0,
            step=1e-6,
            round=False,
            advanced=True,
            tooltip=rate,
        ),
        io.Int.Input("rank", default=0, min=0, max=512, advanced=True, tooltip=rank),
        io.Float.Input(
            "cfg", display_name="CFG", default=0.0, min=0.0, max=100.0, step=0.1, advanced=True, tooltip=cfg
        ),
        io.Int.Input("batch_size", default=0, min=0, max=256, advanced=True, tooltip=batch),
        io.Int.Input(
            "resolution",
            default=0,
            min=0,
            max=MOST_SIDE,
            step=SIDE_STEP,
            advanced=True,
            tooltip="Side of the square pictures it learns on, in pixels. 0 takes 1024, for nano 64; 512 trains four "
            "times as fast.",
        ),
    ]


def checked_input(default: int) -> io.Input:
    return io.Int.Input(
        "checked",
        default=default,
        min=0,
        max=1000,
        advanced=True,
        tooltip="How many prompts are drawn now and then beside the model's own pictures. Where they get worse, "
        "training ends and the best LoRA is saved. 0 never looks.",
    )


def student_outputs(sheet: str) -> list[io.Output]:
    return [
        io.Custom("LORA_MODEL").Output(
            display_name="lora", tooltip="For the stock Load LoRA Model and Save LoRA Weights."
        ),
        io.Image.Output(display_name="sheet", tooltip=sheet),
        io.String.Output(display_name="report", tooltip="How its pictures changed, and where the file lies."),
    ]
