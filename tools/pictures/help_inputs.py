"""Strips for the nodes that take prompts, sizes and pictures: what each input does."""

from collections.abc import Sequence
from typing import Any

from .prompt_graph import NANO, NANO_MEGAPIXELS, Link, PromptGraph
from .strips import Difference, Panel, Rows, StripBuilder, numbered

HEART = "a large red heart in the middle on a chessboard"
PROMPTS = (  # each changes one attribute of the one before
    ("a large red heart in the middle on a white background", "白色背景上中间有一个大红色爱心"),
    ("a small red heart in the middle on a white background", "白色背景上中间有一个小红色爱心"),
    ("a small blue heart in the middle on a white background", "白色背景上中间有一个小蓝色爱心"),
    ("a small blue star in the middle on a white background", "白色背景上中间有一个小蓝色星星"),
    ("a small blue star at the top right on a white background", "白色背景上右上角有一个小蓝色星星"),
    ("a small blue star at the top right in the sky", "天空背景上右上角有一个小蓝色星星"),
)
EDITS = (  # scene, instruction in English, in Chinese
    ("a large blue circle in the middle on a white background", "make the circle red", "把圆变成红色"),
    ("a large red heart in the middle in the sky", "replace the heart with a star", "把爱心换成星星"),
    ("a large green triangle in the middle on stripes", "change the background to black", "把背景换成黑色"),
    (
        "a small pink circle on the left on a grey background",
        "add a large blue square on the right",
        "在右边加一个大蓝色正方形",
    ),
    ("a large orange ring in the middle on a chessboard", "remove the ring", "去掉圆环"),
)
REFERENCES = (
    "a large purple star in the middle on a white background",
    "a large orange square on the left on a black background",
    "a small pink circle at the top in the sky",
)
COMBINE = "shape of picture 1, color of picture 2, background of picture 3"
WEIGHTS = ("1", "0.5", "0", "-0.5", "-1")


def words(graph: PromptGraph) -> Rows:
    """The same prompts in English, and below in Chinese."""
    return [[Panel("", graph.picture(prompt)) for prompt in prompts] for prompts in zip(*PROMPTS, strict=True)]


def ratios(graph: PromptGraph) -> Rows:
    """One prompt on canvases of one area."""
    names = ("1:1", "4:3", "16:9", "21:9", "3:4", "9:16")
    prompt = "a large red heart in the middle in the sky"
    return [[Panel(name, graph.picture(prompt, latent=graph.empty(name))) for name in names]]


def areas(graph: PromptGraph) -> Rows:
    """The area nano was trained at, and two others."""
    return [
        [Panel(f"{each:g}", graph.picture(HEART, latent=graph.empty("1:1", each))) for each in (0.004, 0.009, 0.016)]
    ]


def batch(graph: PromptGraph) -> Rows:
    """One seed, several pictures."""
    return [[Panel("", graph.picture("a large heart in the middle", latent=graph.empty(batch_size=5)))]]


def image_to_image(graph: PromptGraph, picture: Link, batch_size: int = 1) -> Link:
    """A picture's latent at nano's size."""
    inputs = {"megapixels": NANO_MEGAPIXELS, "batch_size": batch_size}
    return graph.add("ZImageImageToImage", image=picture, vae=graph.vae, **inputs)[0]


def strength(graph: PromptGraph) -> Rows:
    """Nearer to the prompt, further from the picture."""
    picture = graph.picture("a large blue circle on the left on a grey background")
    latent = image_to_image(graph, picture)
    prompt = "a large red star on the left on a grey background"
    drawn = [
        Panel(f"{each:g}", graph.picture(prompt, latent=latent, strength=each)) for each in (0.1, 0.2, 0.3, 0.4, 0.6)
    ]
    return [[Panel("-", picture), *drawn]]


def variations(graph: PromptGraph) -> Rows:
    """One picture, several variations."""
    picture = graph.picture("a large red heart in the middle in the sky")
    latent = image_to_image(graph, picture, batch_size=4)
    return [
        [
            Panel("-", picture),
            Panel("", graph.picture("a large star in the middle", latent=latent, strength=0.7)),
        ]
    ]


def scaled(graph: PromptGraph, picture: Link, width: int, height: int) -> Link:
    """Resize a picture, for nodes whose behavior depends on size."""
    inputs = {"upscale_method": "bicubic", "crop": "center"}
    return graph.add("ImageScale", image=picture, width=width, height=height, **inputs)[0]


def reconstructions(graph: PromptGraph) -> Rows:
    """A picture, its reconstruction by the autoencoder, the difference; then one that has to be cropped."""
    fitting = graph.picture(HEART)
    odd = scaled(graph, fitting, 94, 78)
    both = [Panel("64 x 64", fitting), Panel("64 x 64", reconstruct(graph, fitting))]
    return [[*both, Difference(0, 1, 8), Panel("94 x 78", odd), Panel("80 x 64", reconstruct(graph, odd))]]


def reconstruct(graph: PromptGraph, picture: Link) -> Link:
    """A picture encoded and decoded."""
    return graph.decode(graph.add("ZImageVAEEncode", image=picture, vae=graph.vae)[0])


def rows_of_decoding(graph: PromptGraph) -> Rows:
    """A large picture decoded whole, in strips of rows, and the difference."""
    large = scaled(graph, graph.picture(HEART), 288, 288)
    latent = graph.add("ZImageVAEEncode", image=large, vae=graph.vae)[0]
    return [
        [
            Panel("0", graph.decode(latent)),
            Panel("256", graph.decode(latent, 256)),
            Difference(0, 1, 64),
        ]
    ]


def edit(graph: PromptGraph, references: Sequence[Link], prompt: str, *, seed: int = 7, **changes: Any) -> Link:
    """Nano's result of an edit instruction on reference pictures."""
    # fmt: off
    inputs: dict[str, Any] = {
        "clip_vision": graph.add("ZImageVisionLoader", vision_name=NANO)[0], "prompt": prompt, "negative_prompt": "",
        "megapixels": 1.0, "size_of": "first picture", "pictures": "look at them", "reading": "reference", **changes,
        **{f"images.image{index}": picture for index, picture in enumerate(references)},
    }
    # fmt: on
    encoded = graph.add("ZImageEditEncode", clip=graph.clip, vae=graph.vae, **inputs)
    node = graph.sample("", seed=seed, latent=encoded[2])
    graph.prompt[node.name]["inputs"].update(positive=encoded[0], negative=encoded[1])
    return graph.decode(node[0])


def edits(graph: PromptGraph) -> Rows:
    """Before; after the instruction in English; after the same in Chinese."""
    before = [graph.picture(scene) for scene, _, _ in EDITS]
    english = [edit(graph, [picture], words) for picture, (_, words, _) in zip(before, EDITS, strict=True)]
    chinese = [edit(graph, [picture], words) for picture, (_, _, words) in zip(before, EDITS, strict=True)]
    return [
        numbered(before),
        [Panel("", each) for each in english],
        [Panel("", each) for each in chinese],
    ]


def combined(graph: PromptGraph) -> Rows:
    """Three reference pictures and their combination under three seeds."""
    pictures = [graph.picture(prompt, seed=7 + index) for index, prompt in enumerate(REFERENCES)]
    return [[*numbered(pictures), *(Panel("", edit(graph, pictures, COMBINE, seed=seed)) for seed in range(3))]]


def with_and_without_vision(graph: PromptGraph) -> Rows:
    """A picture, its edit with the vision encoder's features, and without them."""
    picture = graph.picture(EDITS[0][0])
    instruction = EDITS[0][1]
    with_vision, without_vision = (
        edit(graph, [picture], instruction, pictures=choice) for choice in ("look at them", "ignore")
    )
    return [numbered([picture, with_vision, without_vision])]


def weighted(graph: PromptGraph) -> Rows:
    """A word beside another that contradicts it, and a word alone, each at several weights."""
    rows = (("a large (red:{}) yellow heart", ("0", "1", "1.5", "2", "3")), ("a large (yellow:{}) heart", WEIGHTS))
    return [[Panel(weight, with_weight(graph, words.format(weight))) for weight in weights] for words, weights in rows]


def with_weight(graph: PromptGraph, words: str) -> Link:
    """Turbo Sampler's picture of weighted words on a white background."""
    prompt = f"{words} in the middle on a white background"
    encoded = graph.add("ZImageWeightedEncode", clip=graph.clip, prompt=prompt, long_prompts="keep every token")[0]
    return graph.decode(graph.turbo("", positive=encoded)[0])


STRIPS: dict[str, StripBuilder] = {
    "ZImageWeightedEncode/prompt": weighted,
    "ZImageTextEncode/prompt": words,
    "ZImageEmptyLatent/ratio": ratios,
    "ZImageEmptyLatent/megapixels": areas,
    "ZImageEmptyLatent/batch_size": batch,
    "ZImageImageToImage/image": strength,
    "ZImageImageToImage/batch_size": variations,
    "ZImageVAEEncode/image": reconstructions,
    "ZImageVAEDecode/tile_size": rows_of_decoding,
    "ZImageEditEncode/prompt": edits,
    "ZImageEditEncode/images": combined,
    "ZImageEditEncode/pictures": with_and_without_vision,
}
