"""Strips for the nodes that inpaint, outpaint and stitch: what each input does."""

from collections.abc import Sequence

from .prompt_graph import NANO_MEGAPIXELS, Link, Node, PromptGraph
from .strips import Difference, Panel, Rows, StripBuilder, numbered

DOT = "a small red circle in the top left corner on a grey background"
BLUE_STAR = "a large blue star in the middle on a grey background"


def mask(graph: PromptGraph, x: int, y: int, side: int) -> Link:
    """A white square on black."""
    black = graph.add("SolidMask", value=0.0, width=64, height=64)[0]
    white = graph.add("SolidMask", value=1.0, width=side, height=side)[0]
    return graph.add("MaskComposite", destination=black, source=white, x=x, y=y, operation="add")[0]


def inpaint(graph: PromptGraph, picture: Link, where: Link, **changes: object) -> Node:
    """Z-Image Inpaint with settings for nano except for `changes`."""
    inputs = {"grow": 0, "feather": 4, "megapixels": NANO_MEGAPIXELS, "fill": "surroundings", "context": 1.0, **changes}
    return graph.add("ZImageInpaint", image=picture, mask=where, vae=graph.vae, **inputs)


def stitch(graph: PromptGraph, painted: Link, region: Node, colour_match: float = 1.0) -> Link:
    """Stitch a painted region back into its picture."""
    return graph.add("ZImageStitch", image=painted, stitch=region[1], colour_match=colour_match)[0]


def inpainting(graph: PromptGraph) -> Rows:
    """Picture, mask, region, painted region, result, difference."""
    picture, where = graph.picture(DOT), mask(graph, 36, 36, 28)
    region = inpaint(graph, picture, where)
    painted = graph.picture(BLUE_STAR, latent=region[0])
    shown = graph.add("MaskToImage", mask=where)[0]
    row = numbered([picture, shown, region[2], painted, stitch(graph, painted, region)])
    return [[*row, Difference(0, 4, 1)]]


def edges(name: str, values: Sequence[int]) -> StripBuilder:
    """An input that moves or softens the edge, seen best where the new ground is another."""

    def draw(graph: PromptGraph) -> Rows:
        picture, where = graph.picture(DOT), mask(graph, 30, 30, 28)
        regions = [inpaint(graph, picture, where, **{"feather": 0, name: value}) for value in values]
        prompt = "a large yellow star in the middle on a black background"
        results = [stitch(graph, graph.picture(prompt, latent=each[0]), each, 0.0) for each in regions]
        return [[Panel(str(value), result) for value, result in zip(values, results, strict=True)]]

    return draw


def fills(graph: PromptGraph) -> Rows:
    """Each fill under the mask, and the result at strength 0.3."""
    picture, where = graph.picture("a large red circle in the middle in the sky"), mask(graph, 16, 16, 32)
    names = ("original", "surroundings", "grey")
    regions = [inpaint(graph, picture, where, fill=name, context=2.0) for name in names]
    prompt = "a small blue star in the middle in the sky"
    results = [stitch(graph, graph.picture(prompt, latent=each[0], strength=0.3), each) for each in regions]
    before = [Panel("", each[2]) for each in regions]
    return [before, [Panel(name, result) for name, result in zip(names, results, strict=True)]]


def contexts(graph: PromptGraph) -> Rows:
    """Picture, mask, and how much of it the model sees."""
    picture, where = graph.picture("a large red heart in the middle in the sky"), mask(graph, 4, 4, 16)
    row = [Panel("", picture), Panel("", graph.add("MaskToImage", mask=where)[0])]
    values = (1.0, 2.0, 3.0)
    regions = [inpaint(graph, picture, where, fill="original", context=value)[2] for value in values]
    return [[*row, *(Panel(f"{value:g}", region) for value, region in zip(values, regions, strict=True))]]


def outpaint(graph: PromptGraph, picture: Link, **changes: object) -> Node:
    """Z-Image Outpaint with settings for nano except for `changes`."""
    # fmt: off
    inputs = {
        "ratio": "16:9", "left": 0, "top": 0, "right": 0, "bottom": 0, "megapixels": NANO_MEGAPIXELS, "feather": 8,
        "anchor": "left or top", "context": 1.0, **changes,
    }
    # fmt: on
    return graph.add("ZImageOutpaint", image=picture, vae=graph.vae, **inputs)


def outpainted(graph: PromptGraph, picture: Link, prompt: str = BLUE_STAR, **changes: object) -> Link:
    """A picture on its larger canvas, painted."""
    region = outpaint(graph, picture, **changes)
    return stitch(graph, graph.picture(prompt, latent=region[0]), region)


def outpainting(graph: PromptGraph) -> Rows:
    """Picture, region, painted region, result."""
    picture = graph.picture("a large red circle in the middle in the sky")
    region = outpaint(graph, picture)
    painted = graph.picture("a large blue star on the right in the sky", latent=region[0])
    return [numbered([picture, region[2], painted, stitch(graph, painted, region)])]


def canvases(graph: PromptGraph) -> Rows:
    """Ratios, then by pixels: 64 at the right, 64 at the top."""
    picture = graph.picture("a large red circle in the middle on a grey background")
    ratio_row = [Panel(name, outpainted(graph, picture, ratio=name)) for name in ("4:3", "16:9", "9:16")]
    right = outpainted(graph, picture, ratio="by pixels", right=64)
    return [[*ratio_row, Panel("64", right)]]


def anchors(graph: PromptGraph) -> Rows:
    """Where the original picture is placed on the new canvas."""
    picture = graph.picture("a large red circle in the middle on a grey background")
    return [[Panel(name, outpainted(graph, picture, anchor=name)) for name in ("left or top", "right or bottom")]]


def outer_feathers(graph: PromptGraph) -> Rows:
    """How far the new part reaches into the old, seen best where its ground is another."""
    picture = graph.picture("a large red circle in the middle in the sky")
    prompt = "a large blue star on the right on a black background"
    regions = {value: outpaint(graph, picture, feather=value) for value in (0, 16, 48)}
    painted = {value: graph.picture(prompt, latent=each[0]) for value, each in regions.items()}
    return [[Panel(str(value), stitch(graph, painted[value], each, 0.0)) for value, each in regions.items()]]


def colour_matches(graph: PromptGraph) -> Rows:
    """Picture, painted region darkened by a third on purpose, and put back with less and more matching."""
    picture, where = graph.picture(DOT), mask(graph, 40, 40, 18)
    region = inpaint(graph, picture, where, context=2.0)
    painted = graph.picture("a small blue star at the bottom right on a grey background", latent=region[0])
    black = graph.add("EmptyImage", width=64, height=64, batch_size=1, color=0)[0]
    dark = graph.add("ImageBlend", image1=painted, image2=black, blend_factor=0.3, blend_mode="normal")[0]
    matched = [Panel(f"{each:g}", stitch(graph, dark, region, each)) for each in (0.0, 0.5, 1.0)]
    return [[Panel("", picture), Panel("", dark), *matched]]


def details(graph: PromptGraph) -> Rows:
    """An enlarged picture with two hearts, the mask of both, each region before and after, result, difference."""
    prompt = "a large red heart in the middle on a white background"
    drawn = [graph.picture(prompt, seed=seed) for seed in (7, 8)]
    sides = {"direction": "right", "match_image_size": True, "spacing_width": 0, "spacing_color": "white"}
    small = graph.add("ImageStitch", image1=drawn[0], image2=drawn[1], **sides)[0]
    picture = graph.add("ImageScale", image=small, upscale_method="bilinear", width=192, height=96, crop="disabled")[0]
    where = graph.add("SolidMask", value=0.0, width=192, height=96)[0]
    spot = graph.add("SolidMask", value=1.0, width=64, height=64)[0]
    for x in (16, 112):
        where = graph.add("MaskComposite", destination=where, source=spot, x=x, y=16, operation="add")[0]
    inputs = {"grow": 0, "feather": 4, "megapixels": NANO_MEGAPIXELS, "context": 1.2}
    cut = graph.add("ZImageDetail", image=picture, mask=where, vae=graph.vae, **inputs)
    painted = graph.picture(prompt, latent=cut[0], strength=0.4)
    shown = graph.add("MaskToImage", mask=where)[0]
    row = numbered([picture, shown, cut[2], painted, stitch(graph, painted, cut)])
    return [row[:2], row[2:4], [row[4], Difference(0, 6, 1)]]


def refined(graph: PromptGraph) -> Rows:
    """An enlarged picture, and refined in tiles at four strengths."""
    prompt = "a large red heart in the middle on a grey background"
    inputs = {"upscale_method": "bicubic", "width": 128, "height": 128, "crop": "disabled"}
    large = graph.add("ImageScale", image=graph.picture(prompt), **inputs)[0]
    latent = graph.add("ZImageVAEEncode", image=large, vae=graph.vae)[0]
    tiles = graph.add("ZImageTiledRefine", model=graph.model, tile_size=64, overlap=16)[0]
    strengths = (0.1, 0.2, 0.35, 0.5)
    shown = [graph.picture(prompt, model=tiles, latent=latent, strength=each) for each in strengths]
    row = [Panel("0", large), *(Panel(f"{each:g}", image) for each, image in zip(strengths, shown, strict=True))]
    return [row[:3], row[3:]]


def large(graph: PromptGraph) -> Rows:
    """Nano at twice its size, by method."""
    row: list[Panel] = []
    for method in ("as it is", "whole", "tiles"):
        inputs = {"width": 128, "height": 128, "method": method, "detail": 0.1}
        node = graph.add("ZImageLargePicture", model=graph.model, vae=graph.vae, **inputs)
        prompt = "a large red heart in the middle on a grey background"
        row.append(Panel(method, graph.picture(prompt, model=node[0], latent=node[1])))
    return [row]


STRIPS: dict[str, StripBuilder] = {
    "ZImageLargePicture/method": large,
    "ZImageTiledRefine/model": refined,
    "ZImageDetail/mask": details,
    "ZImageInpaint/mask": inpainting,
    "ZImageInpaint/grow": edges("grow", (-8, -4, 0, 4)),
    "ZImageInpaint/feather": edges("feather", (0, 4, 8, 16)),
    "ZImageInpaint/fill": fills,
    "ZImageInpaint/context": contexts,
    "ZImageOutpaint/image": outpainting,
    "ZImageOutpaint/ratio": canvases,
    "ZImageOutpaint/anchor": anchors,
    "ZImageOutpaint/feather": outer_feathers,
    "ZImageStitch/colour_match": colour_matches,
}
