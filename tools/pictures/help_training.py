"""The strips of nodes that train, and of their pairs: a new shape appears while it is learned."""

from .help_inputs import edit
from .prompt_graph import NANO, Link, PromptGraph
from .strips import Panel, Rows, StripBuilder, numbered

PROMPT = "a large orange zorp in the middle on a white background"
SHAPES = ("large orange heart in the middle", "large green circle on the left", "small blue star on the right")
SETTINGS = {"rank": 16, "learning_rate": 0.002, "seed": 0, "batch_size": 4, "trigger": "zorp"}


def learned(graph: PromptGraph) -> Rows:
    """The same picture from more and more steps of training."""
    sets = ("zorps (built in)", "what nano knows (built in)")
    new, known = (graph.add("ZImageDataset", folder=name, caption="", resolution=64)[0] for name in sets)

    def drawn(steps: int) -> Link:
        lora = graph.add(
            "ZImageTrainLora",
            **{"model": graph.model, "clip": graph.clip, "vae": graph.vae, "dataset": new, "keep": known},
            **{"name": f"zorp {steps}", "training_steps": steps, **SETTINGS},
            **{"training_adapter": "none", "accept_losing_8_steps": False, "kind": "lora"},
        )[0]
        model = graph.add("LoraModelLoader", model=graph.model, lora=lora, strength_model=1.0, bypass=False)[0]
        return graph.decode(graph.sample(PROMPT, model=model)[0])

    alone = Panel("0", graph.picture(PROMPT))
    return [[alone, *(Panel(str(steps), drawn(steps)) for steps in (60, 120, 250))]]


def by_a_recipe(graph: PromptGraph) -> Rows:
    """The same picture by the model alone, and by more and more steps of a shipped recipe."""
    new = graph.add("ZImageDataset", folder="zorps (built in)", caption="", resolution=64)[0]

    def drawn(steps: int) -> Link:
        model = graph.add(
            "ZImageTrain",
            **{"model": graph.model, "clip": graph.clip, "vae": graph.vae, "dataset": new},
            **{"recipe": "lora_from_twenty_pictures (built in)", "name": f"recipe {steps}", "training_steps": steps},
            **{"training_adapter": "none", "accept_losing_8_steps": False},
        )[0]
        return graph.decode(graph.sample(PROMPT, model=model)[0])

    alone = Panel("0", graph.picture(PROMPT))
    return [[alone, *(Panel(str(steps), drawn(steps)) for steps in (50, 100))]]


def edits_learned(graph: PromptGraph) -> Rows:
    """Before; after an instruction by the model alone; and with a LoRA of the built-in pairs."""
    before = [graph.picture(f"a {words} on a white background") for words in SHAPES]
    asked = [f"replace the {words.split()[2]} with a zorp" for words in SHAPES]
    alone = [edit(graph, [picture], words) for picture, words in zip(before, asked, strict=True)]
    vision = graph.add("ZImageVisionLoader", vision_name=NANO)[0]
    pairs = {"folder": "shapes become zorps (built in)", "sources": "in the folder", "instruction": ""}
    lora = graph.add(
        "ZImageTrainLora",
        **{"model": graph.model, "clip": graph.clip, "vae": graph.vae},
        dataset=graph.add("ZImageEditDataset", **pairs, resolution=64, clip_vision=vision)[0],
        **{"name": "zorp_edit", "training_steps": 120, **SETTINGS, "learning_rate": 0.003},
        **{"training_adapter": "none", "accept_losing_8_steps": False, "kind": "lora"},
    )[0]
    graph.model = graph.add("LoraModelLoader", model=graph.model, lora=lora, strength_model=1.0, bypass=False)[0]
    learned = [edit(graph, [picture], words) for picture, words in zip(before, asked, strict=True)]
    return [numbered(before), [Panel("", each) for each in alone], [Panel("", each) for each in learned]]


def few_steps(graph: PromptGraph) -> Rows:
    """What a student has to better: the base alone in few steps at CFG 1; last what teaches it, 20 steps at CFG 3."""
    words = "a star"
    alone = [Panel(str(steps), graph.decode(graph.turbo(words, steps=steps)[0])) for steps in (1, 2, 4, 8)]
    return [[*alone, Panel("20", graph.picture(words))]]


def alternatives(graph: PromptGraph) -> Rows:
    """A batch of one prompt, of which two at a time are shown."""
    drawn = (graph.picture("a star", seed=seed) for seed in (1, 2, 3, 4))
    return [numbered(list(drawn))]


STRIPS: dict[str, StripBuilder] = {
    "ZImageTrainLora/training_steps": learned,
    "ZImageTrain/recipe": by_a_recipe,
    "ZImageDistill/steps": few_steps,
    "ZImagePreference/images": alternatives,
    "ZImageEditDataset/instruction": edits_learned,
}
