"""The node that finds the weights of a merge by a score."""

from typing import Any

from comfy_api.latest import io, ui

from ..zimage_core.merging import groups as groups_of_blocks
from ..zimage_core.merging.search import BY_METHOD
from ..zimage_core.nano.judging.prompt_score import PromptScore
from .bridge.page import evaluation, score_results
from .bridge.tasks import scores
from .bridge.tasks.comparing.columns import check_prompts, rows_of
from .bridge.tasks.evaluating.painter import SuiteBar
from .bridge.tasks.merging import search
from .chinese_words import IN_CHINESE
from .drawing_inputs import prompts_input, seeds_input, step_inputs
from .sampler_inputs import CLIP_INPUT, LATENT_INPUT, MODEL_INPUT, VAE_INPUT, seed_input
from .score_inputs import reader_input

PROMPTS = "a large red circle in the middle on white\na small blue star in the middle on black"


class ZImageMergeSearch(io.ComfyNode):
    """How much of another model, in each group of blocks, a score likes best."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImageMergeSearch",
            display_name="Z-Image Merge Search",
            category="Z-Image/tools",
            description="Merges two fine-tunes by a score: tries weights for groups of blocks, draws the same prompts "
            "and seeds with each, and keeps every picture and the best merge.",
            search_aliases=[
                "merge by score",
                "block weights",
                "cma-es",
                "auto merge",
                *IN_CHINESE["ZImageMergeSearch"],
            ],
            inputs=[
                io.Model.Input("model", tooltip=MODEL_INPUT),
                io.Model.Input(
                    "other_model", display_name="other model", tooltip="A fine-tune of the same architecture."
                ),
                io.Clip.Input("clip", display_name="CLIP", tooltip=CLIP_INPUT),
                io.Vae.Input("vae", display_name="VAE", tooltip=VAE_INPUT),
                io.Latent.Input("latent", tooltip=LATENT_INPUT),
                prompts_input(PROMPTS),
                io.Combo.Input(
                    "score",
                    options=scores.names(),
                    default=PromptScore.name,
                    tooltip="What decides: any score of Z-Image Score, by the prompts; the mean of a point's pictures.",
                ),
                io.String.Input(
                    "groups",
                    default="",
                    placeholder="0-9 10-19 20-29 rest",
                    tooltip="Groups of blocks, each with a weight of its own, such as 0-9 10-29 noise_refiner rest. "
                    "Empty: three parts of the main layers, and the rest.",
                ),
                io.Int.Input(
                    "budget",
                    default=20,
                    min=3,
                    max=1000,
                    tooltip="How many merges are tried at most, both models themselves among them. More later go on.",
                ),
                io.Combo.Input(
                    "search",
                    options=list(BY_METHOD),
                    default=next(iter(BY_METHOD)),
                    tooltip="coordinate: one weight after the other. CMA-ES: all at once, better for 50 points and "
                    "more; it needs the package cma.",
                ),
                seeds_input(2),
                seed_input(
                    "Which noise the first picture of every prompt starts from, the same at each point.",
                    control_after_generate=False,
                    is_advanced=True,
                ),
                reader_input(),
                *step_inputs()[:4],
                io.String.Input(
                    "filename_prefix",
                    display_name="filename prefix",
                    default="merge_search",
                    advanced=True,
                    tooltip="The folder inside ComfyUI's output folder. Each change of the graph has a folder of its "
                    "own in it, where the same one goes on.",
                ),
            ],
            outputs=[
                io.Model.Output(display_name="model", tooltip="The best merge, as patches on model."),
                io.String.Output(
                    display_name="blocks", tooltip="Its factors, for blocks of Z-Image Merge at weight 1."
                ),
                io.Float.Output(display_name="value", tooltip="Its number by the score."),
                io.Image.Output(display_name="sheet", tooltip="A picture of both models, and of each that was better."),
                io.String.Output(display_name="report", tooltip="The lines shown under the node: every point."),
                io.String.Output(display_name="folder", tooltip="Where all pictures and points.jsonl lie."),
            ],
            hidden=[io.Hidden.prompt, io.Hidden.extra_pnginfo, io.Hidden.unique_id],
        )

    @classmethod
    def validate_inputs(cls, groups: str | None = None) -> bool | str:
        try:
            groups_of_blocks.check(groups or "")
        except ValueError as error:
            return str(error)
        return True

    @classmethod
    def execute(cls, model, other_model, clip, vae, latent, prompts, score, groups, budget, **more) -> io.NodeOutput:
        drawn = {name: more[name] for name in ("steps", "cfg", "solver", "shift")}
        rows = rows_of(prompts, more["seed"], more["seeds"], 1)
        check_prompts(rows, score, more["reader"])
        asked: dict[str, Any] = {"score": score, "reader": more["reader"], "method": more["search"]}
        told = {**drawn, **asked, "rows": [vars(row) for row in rows], "groups": groups, "seed": more["seed"]}
        plan = search.Search(
            model=model,
            other=other_model,
            groups=groups_of_blocks.groups_of(groups, search.shapes_of(model)),
            method=more["search"],
            seed=more["seed"],
            rows=rows,
            score=scores.score_of(score, more["reader"]),
            folder=evaluation.folder_of(more["filename_prefix"], "search", told, cls.hidden),
        )
        sources = {"clip": clip, "vae": vae, "latent": latent}
        found = search.searched(plan, {**sources, **drawn}, budget, SuiteBar(budget * len(rows)))
        score_results.tell(cls.hidden, str(cls.hidden.unique_id), found.facts)
        shown = {"text": [found.report], **ui.PreviewImage(found.sheet).as_dict()}
        outputs = (plan.merged(found.best.point), found.blocks, found.value, found.sheet, found.report)
        return io.NodeOutput(*outputs, str(plan.folder), ui=shown)


NODES: list[type[io.ComfyNode]] = [ZImageMergeSearch]
