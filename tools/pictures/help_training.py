"""The strip of the node that trains: a new shape appears while a LoRA learns it."""

from .prompt_graph import Link, PromptGraph
from .strips import Panel, Rows, StripBuilder

PROMPT = "a large orange zorp in the middle on a white background"
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


STRIPS: dict[str, StripBuilder] = {"ZImageTrainLora/training_steps": learned}
