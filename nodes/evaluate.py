"""The node that measures a model, or pictures already drawn, by a suite of prompts."""

from typing import Any

from comfy_api.latest import io, ui

from ..zimage_core.sampling import TURBO
from .bridge.loading import score_models
from .bridge.loading.page_language import words_drawn
from .bridge.page import evaluation, score_results
from .bridge.tasks import scores
from .bridge.tasks.evaluating import folders, painter, readers, suite_run
from .chinese_words import DRAWN_IN_CHINESE, IN_CHINESE
from .sampler_inputs import (
    CLIP_INPUT,
    MODEL_INPUT,
    VAE_INPUT,
    cfg_input,
    seed_input,
    shift_input,
    solver_input,
    steps_input,
)
from .score_inputs import reader_input


class ZImageEvaluate(io.ComfyNode):
    """A suite of prompts, drawn and measured."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImageEvaluate",
            display_name="Z-Image Evaluate",
            category="Z-Image/tools",
            description="Draws a benchmark's prompts with the connected model, or takes pictures already drawn, and "
            "measures them as its authors do. Interrupted, it goes on there the next time.",
            search_aliases=["benchmark", "geneval", "cvtg", "quality", "metric", *IN_CHINESE["ZImageEvaluate"]],
            inputs=[*_sources(), *_suite_inputs(), *_drawing_inputs(), *_reading_inputs()],
            outputs=[
                io.Float.Output(display_name="value", tooltip="The first score's number of all prompts."),
                io.String.Output(display_name="report", tooltip="The lines shown under the node: the table."),
                io.Image.Output(
                    display_name="sheet", tooltip="The worst prompts' pictures. Saved from here, it tells the number."
                ),
                io.String.Output(
                    display_name="folder", tooltip="Where pictures, report.html, report.json and report.csv are."
                ),
            ],
            hidden=[io.Hidden.prompt, io.Hidden.extra_pnginfo, io.Hidden.unique_id],
            is_output_node=True,
        )

    @classmethod
    def check_lazy_status(cls, pictures_folder="", **inputs) -> list[str]:
        missing = [name for name in evaluation.CONNECTED if name in inputs and inputs[name] is None]
        return [] if pictures_folder.strip() else missing

    @classmethod
    def fingerprint_inputs(cls, prompts_folder="", pictures_folder="", **inputs) -> str:
        return folders.state_of(prompts_folder, pictures_folder)

    @classmethod
    def execute(cls, suite, limit, prompts_folder, pictures_folder, steps, cfg, seed, solver, shift, **more):
        drawn = {"steps": steps, "cfg": cfg, "solver": solver, "shift": shift}
        asked: dict[str, Any] = {"prompts_folder": prompts_folder, "pictures_folder": pictures_folder, "seed": seed}
        asked |= {"name": more["model_folder"]}
        out = evaluation.folder_of(more["filename_prefix"], suite, {**drawn, **asked}, cls.hidden)
        plan = suite_run.planned(suite=suite, limit=limit, corrected=more["corrected"], out=out, **asked)
        bar = painter.SuiteBar(sum(len(case.places) for case in plan.cases))
        draw = None if pictures_folder.strip() else painter.connected({**more, **drawn}, bar)
        chosen = readers.ChosenReaders(
            reader_name=more["reader"], detector_name=more["detector"], clip_name=more["clip_model"]
        )
        found = suite_run.evaluated(plan, chosen, draw, draw.told if draw else "given pictures", bar)
        score_results.tell(cls.hidden, str(cls.hidden.unique_id), found.facts)
        report, sheet = "\n".join([*found.lines, str(out)]), found.sheet(words_drawn(DRAWN_IN_CHINESE))
        shown = {"text": [report], **scores.plotted(found.plot), **ui.PreviewImage(sheet).as_dict()}
        return io.NodeOutput(found.value, report, sheet, str(out), ui=shown)


def _sources() -> list[io.Input]:
    """What draws; lazy, as a folder of pictures needs none of it."""
    return [
        io.Model.Input("model", optional=True, lazy=True, tooltip=MODEL_INPUT),
        io.Clip.Input("clip", display_name="CLIP", optional=True, lazy=True, tooltip=CLIP_INPUT),
        io.Vae.Input("vae", display_name="VAE", optional=True, lazy=True, tooltip=VAE_INPUT),
        io.Latent.Input("latent", optional=True, lazy=True, tooltip="A blank latent, which gives the pictures' size."),
    ]


def _suite_inputs() -> list[io.Input]:
    return [
        io.Combo.Input(
            "suite",
            options=list(suite_run.SUITES),
            default=suite_run.SUITES[0],
            tooltip="Whose prompts are drawn. nano and nano-geneval are of the built-in model's world and need no "
            "files; the others are read from their authors' files.",
        ),
        io.Int.Input(
            "limit",
            default=20,
            min=0,
            max=1000000,
            tooltip="At most so many prompts, evenly spaced over the suite; 0 is all. More prompts later go on with "
            "what is drawn.",
        ),
        io.String.Input(
            "prompts_folder",
            display_name="prompts folder",
            default="",
            tooltip="The folder with the authors' prompt files, in ComfyUI's input or models folder. Empty for nano's "
            "own.",
        ),
        io.String.Input(
            "pictures_folder",
            display_name="pictures folder",
            default="",
            tooltip="A folder of pictures already drawn, in ComfyUI's input or models folder, laid out as the authors "
            "lay out theirs. Empty draws with the connected model.",
        ),
    ]


def _drawing_inputs() -> list[io.Input]:
    return [
        steps_input(TURBO, "8 for Turbo, 25 to 50 for base."),
        cfg_input(TURBO, "How strongly to follow the prompt: 1 for Turbo, 3 to 5 for base."),
        seed_input(
            "The seed of the first picture; each has its own, counting up.",
            control_after_generate=False,
            is_advanced=True,
        ),
        solver_input(TURBO),
        shift_input(TURBO, is_advanced=True),
    ]


def _reading_inputs() -> list[io.Input]:
    return [
        io.Boolean.Input(
            "corrected",
            default=False,
            advanced=True,
            tooltip="On to count without the slips of the authors' programs; off for numbers beside published ones.",
        ),
        reader_input(),
        io.Combo.Input(
            "detector",
            options=score_models.choices(score_models.DETECTORS),
            default=score_models.NONE,
            advanced=True,
            tooltip="Who finds objects for GenEval: a folder in models/detection, as transformers writes it.",
        ),
        io.Combo.Input(
            "clip_model",
            display_name="CLIP model",
            options=score_models.choices(score_models.CLIPS),
            default=score_models.NONE,
            advanced=True,
            tooltip="Who tells the colours of objects for GenEval: a folder in models/clip_vision, as transformers "
            "writes it.",
        ),
        io.String.Input(
            "model_folder",
            display_name="model's folder",
            default="zimage",
            advanced=True,
            tooltip="The model's name in the report, and of its folder where a layout has one for each model.",
        ),
        io.String.Input(
            "filename_prefix",
            display_name="filename prefix",
            default="evaluation",
            advanced=True,
            tooltip="The folder inside ComfyUI's output folder. Each suite and each change of the graph has a folder "
            "of its own in it, where the same one goes on.",
        ),
    ]


NODES: list[type[io.ComfyNode]] = [ZImageEvaluate]
