"""Strips for the nodes that measure or compare: what a score says of pictures, what it picks, and an arena's rounds."""

from .help_lora import FILE
from .prompt_graph import PromptGraph
from .strips import Panel, Rows, StripBuilder

ASKED = {"score": "nano's scene", "texts": "", "reader": "automatic"}
SUITE = {
    **{"limit": 2, "steps": 8, "prompts_folder": "", "pictures_folder": "", "cfg": 3.0, "seed": 0},
    **{"solver": "euler", "shift": 3.0, "corrected": False, "reader": "automatic", "detector": "none"},
    **{"clip_model": "none", "model_folder": "nano", "filename_prefix": "evaluation"},
}
TESTED = {
    **{"lora": FILE, "strengths": "0.5, 1, 1.5, 2", "score": "automatic", "seed": 0, "seeds": 1, "reader": "automatic"},
    **{"negative_prompt": "", "steps": 8, "cfg": 3.0, "solver": "euler", "shift": 3.0, "strength": 1.0},
}
CIRCLE = "a large red circle in the middle in the sky"
STAR = "a small yellow star on stripes"
HEART = "a large red heart on white"
DRAWN = (  # each with one thing more that is not as the heart's prompt says
    "a large red heart in the middle on white",
    "a small red heart in the middle on white",
    "a small blue heart in the middle on white",
    "a small blue star in the middle on white",
    "a small blue star in the middle on black",
)


def scored(graph: PromptGraph) -> Rows:
    """Pictures of five prompts, scored by one."""
    row: list[Panel] = []
    for number, prompt in enumerate(DRAWN, 1):
        picture = graph.picture(prompt)
        value = graph.add("ZImageScore", images=picture, prompt=HEART, **ASKED)[0]
        row.append(Panel(str(number), picture, value))
    return [row]


def picked(graph: PromptGraph) -> Rows:
    """The best of more and more seeds, and its score."""
    row: list[Panel] = []
    for tries in (1, 2, 4, 8):
        picture = graph.decode(graph.turbo(STAR, steps=2)[0])
        best = graph.add("ZImagePickBest", images=picture, prompt=STAR, tries=tries, good_enough=1.0, **ASKED)
        row.append(Panel(str(tries), best[0], best[2]))
    return [row]


def compared(graph: PromptGraph) -> Rows:
    """Rounds of an arena: one prompt and seed, drawn by two contestants."""

    def row(steps: int) -> list[Panel]:
        latents = [graph.turbo(STAR, steps=steps, seed=seed)[0] for seed in range(4)]
        return [Panel(str(number), graph.decode(each)) for number, each in enumerate(latents, 1)]

    return [row(2), row(20)]


def paired(graph: PromptGraph) -> Rows:
    """Pairs of Z-Image Compare Models, column A above column B, with their scores."""
    return [_column(graph, "A", 20), _column(graph, "B", 1)]


def _column(graph: PromptGraph, name: str, steps: int) -> list[Panel]:
    row: list[Panel] = []
    for seed in (7, 8, 9, 10):
        picture = graph.picture(HEART, steps=steps, seed=seed)
        value = graph.add("ZImageScore", images=picture, prompt=HEART, **ASKED)[0]
        row.append(Panel(f"{name} {seed}", picture, value))
    return row


def evaluated(graph: PromptGraph) -> Rows:
    """The sheets of both of nano's suites, and their numbers."""
    row: list[Panel] = []
    sockets = {"model": graph.model, "clip": graph.clip, "vae": graph.vae, "latent": graph.empty()}
    for suite in ("nano", "nano-geneval"):
        found = graph.add("ZImageEvaluate", **sockets, suite=suite, **SUITE)
        row.append(Panel(suite, found[2], found[0]))
    return [row]


def limited(graph: PromptGraph) -> Rows:
    """What a LoRA that draws crescents makes at the strength that each limit leaves, which is its number."""
    sockets = {"model": graph.model, "clip": graph.clip, "vae": graph.vae, "latent": graph.empty()}
    others = {f"lora_{number}": "none" for number in (2, 3, 4)} | {f"strength_{number}": 1.0 for number in (2, 3, 4)}
    row: list[Panel] = []
    for limit in (0.1, 0.2, 0.4, 0.8):
        tested = graph.add("ZImageLoraTest", **sockets, prompts=CIRCLE, burn_limit=limit, **TESTED)
        model = graph.add("ZImageLoraLoader", model=graph.model, lora_1=FILE, strength_1=tested[1], **others)[0]
        row.append(Panel(f"{limit:g}", graph.picture(CIRCLE, model=model), tested[1]))
    return [row]


STRIPS: dict[str, StripBuilder] = {
    "ZImageScore/score": scored,
    "ZImageEvaluate/suite": evaluated,
    "ZImagePickBest/tries": picked,
    "ZImageArena/images": compared,
    "ZImageCompareModels/settings_b": paired,
    "ZImageLoraTest/burn_limit": limited,
}
