"""The strip for Z-Image Enhance Prompt: riddles drawn as they are, and drawn after they were solved."""

from .prompt_graph import Link, PromptGraph
from .strips import Panel, Rows, StripBuilder

RIDDLES = (
    "the shape with three corners in the colour of the sky",
    "draw the sign of love, its colour is that of grass",
    "画中间有洞的形状，颜色像火烈鸟",
    "香蕉那种颜色的、夜里发光的形状",
    "the shape with two plus two corners in the colour of a carrot",
)


def solved(graph: PromptGraph) -> Rows:
    """Above the request, below the prompt that the writer made of it."""
    above: list[Panel] = []
    below: list[Panel] = []
    for number, riddle in enumerate(RIDDLES, 1):
        writer = graph.add(
            "ZImageEnhancePrompt",
            clip=graph.clip,
            request=riddle,
            when="always",
            language="as the request",
            length="medium",
            seed=1,
            thinking=256,
            instruction="by language",
            keep_on_disk=False,
        )
        above.append(Panel(str(number), picture(graph, riddle)))
        below.append(Panel("", picture(graph, writer[0])))
    return [above, below]


def picture(graph: PromptGraph, prompt: str | Link) -> Link:
    """Nano's picture of a text, typed or written by a node."""
    sampler = graph.sample("")
    positive = graph.add("ZImageTextEncode", clip=graph.clip, prompt=prompt, long_prompts="keep every token")[0]
    graph.prompt[sampler.name]["inputs"]["positive"] = positive
    return graph.decode(sampler[0])


STRIPS: dict[str, StripBuilder] = {"ZImageEnhancePrompt/request": solved}
