"""The node that finds what a model draws worst, and proposes pictures to train on for it."""

from pathlib import Path
from typing import Any

from comfy_api.latest import io

from ..zimage_core.nano.judging.prompt_score import PromptScore
from .bridge.page import evaluation, thumbnails
from .bridge.tasks import scores
from .bridge.tasks.curating import round_concepts, rounds
from .bridge.tasks.evaluating import painter
from .bridge.tasks.training import dataset as datasets
from .chinese_words import IN_CHINESE
from .datasets import CATEGORY
from .drawing_inputs import step_inputs
from .sampler_inputs import CLIP_INPUT, MODEL_INPUT, VAE_INPUT, seed_input
from .score_inputs import reader_input, score_input

POOL = "what nano knows (built in)"
DRAWN = ("steps", "cfg", "solver", "shift")


class ZImageCurate(io.ComfyNode):
    """One round: concepts drawn and scored, pictures proposed for the worst, a manifest of what a person keeps."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImageCurate",
            display_name="Z-Image Curate",
            category=CATEGORY,
            description="Draws concepts, finds those that the model draws worst, rare ones first, and proposes "
            "pictures to train on for them. A click leaves one out. The next round tells what got better. Deletes "
            "nothing.",
            search_aliases=["active learning", "weak concepts", "data selection", *IN_CHINESE["ZImageCurate"]],
            inputs=[*_sockets(), *_widgets(), *_advanced()],
            outputs=[
                io.String.Output(
                    display_name="manifest", tooltip="For Z-Image Dataset: what is learned now, and what you keep."
                ),
                io.String.Output(display_name="report", tooltip="The table of concepts, and what is proposed."),
                io.String.Output(display_name="folder", tooltip="Where the round lies: for baseline of the next one."),
            ],
            hidden=[io.Hidden.prompt, io.Hidden.extra_pnginfo, io.Hidden.unique_id],
            is_output_node=True,
        )

    @classmethod
    def fingerprint_inputs(cls, folder="", candidates="", concepts_file=round_concepts.NO_FILE, **inputs) -> str:
        states = (datasets.state(folder), datasets.state(candidates), round_concepts.state(concepts_file))
        return " ".join(states)

    @classmethod
    def execute(cls, model, clip, vae, latent, score, reader, filename_prefix, baseline="", **more) -> io.NodeOutput:
        drawn = {name: more.pop(name) for name in DRAWN}
        asked = rounds.Round(before=baseline, **more)
        decided = {**drawn, "score": score, "reader": reader, "seed": asked.seed, "pictures": asked.per_concept}
        out = evaluation.folder_of(filename_prefix, "round", decided, cls.hidden)
        connected: dict[str, Any] = {"model": model, "clip": clip, "vae": vae, "latent": latent, **drawn}
        told = rounds.curate(asked, scores.score_of(score, reader), lambda bar: painter.connected(connected, bar), out)
        for tile in (each for group in told.shown["groups"] for each in group):
            tile["image"] = thumbnails.thumbnail(Path(tile.pop("file")))
        shown = {"text": [told.shown.pop("brief")], "zimage_curate": [told.shown]}
        return io.NodeOutput(told.manifest, told.report, str(out), ui=shown)


def _sockets() -> list[io.Input]:
    return [
        io.Model.Input("model", tooltip=MODEL_INPUT),
        io.Clip.Input("clip", display_name="CLIP", tooltip=CLIP_INPUT),
        io.Vae.Input("vae", display_name="VAE", tooltip=VAE_INPUT),
        io.Latent.Input("latent", tooltip="A blank latent, which gives the pictures' size."),
    ]


def _widgets() -> list[io.Input]:
    return [
        io.Combo.Input(
            "folder",
            options=datasets.folders(),
            default=datasets.NO_FOLDER,
            tooltip="What the model is trained on now, a folder or a manifest: how rare a concept is, is counted here, "
            "and the new manifest holds it, too. None counts in the candidates.",
        ),
        io.Combo.Input(
            "candidates",
            options=datasets.folders(),
            default=POOL,
            tooltip="Where new pictures may come from: a folder inside ComfyUI's input folder, with captions beside "
            "them. Nothing is copied, moved or removed.",
        ),
        io.String.Input(
            "concepts",
            multiline=True,
            dynamic_prompts=False,
            default="",
            placeholder="concepts, one a line; empty: phrases of the captions",
            tooltip="What is drawn, one concept a line, as captions would say it: red fox. Empty takes phrases that "
            "the captions use, from the most used to the rarest.",
        ),
        score_input(PromptScore.name),
        io.Int.Input(
            "most_concepts",
            display_name="concepts at most",
            default=12,
            min=1,
            max=10000,
            tooltip="How many concepts are drawn.",
        ),
        io.Int.Input(
            "per_concept",
            display_name="pictures per concept",
            default=4,
            min=1,
            max=64,
            tooltip="How many pictures of each concept are drawn and scored. More tell smaller differences from "
            "chance.",
        ),
    ]


def _advanced() -> list[io.Input]:
    return [
        io.Int.Input(
            "worst",
            display_name="worst concepts",
            default=6,
            min=1,
            max=1000,
            advanced=True,
            tooltip="For how many of the concepts that are drawn worst pictures are proposed.",
        ),
        io.Int.Input(
            "proposed",
            display_name="pictures proposed",
            default=6,
            min=1,
            max=100,
            advanced=True,
            tooltip="At most so many for each of these concepts.",
        ),
        io.String.Input(
            "choices",
            default="",
            multiline=True,
            dynamic_prompts=False,
            advanced=True,
            tooltip="Your own verdicts, one a line, such as: drop fox_2.png. Clicks on the pictures write them; what "
            "is proposed stays unless you drop it.",
        ),
        io.Combo.Input(
            "concepts_file",
            display_name="concepts file",
            options=round_concepts.concept_files(),
            default=round_concepts.NO_FILE,
            advanced=True,
            tooltip="More concepts from ComfyUI's input folder: a text with one a line, a table with prompts and words "
            "(.jsonl), or a map of data graph (.parquet).",
        ),
        seed_input(
            "The seed of each concept's first picture; the same in both rounds, so that only the model differs.",
            control_after_generate=False,
            is_advanced=True,
        ),
        reader_input(),
        *step_inputs()[:4],
        io.String.Input(
            "filename_prefix",
            display_name="filename prefix",
            default="curation",
            advanced=True,
            tooltip="The folder inside ComfyUI's output folder. Each model and each setting has a round of its own in "
            "it, where the same one goes on; a later round is compared with the one before.",
        ),
        io.String.Input(
            "baseline",
            optional=True,
            force_input=True,
            tooltip="The folder of an earlier round to compare with, from another Z-Image Curate. Empty takes the "
            "latest one with the same settings.",
        ),
    ]


NODES: list[type[io.ComfyNode]] = [ZImageCurate]
