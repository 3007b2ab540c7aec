"""What the inputs do of the nodes that repaint a part, paint beyond the edge and put together."""

from collections.abc import Sequence

from help_graphs import NANO_MEGAPIXELS, Graph, Link, Node
from help_strips import Difference, Draw, Rows, Shown, numbered

DOT = "a small red circle in the top left corner on a grey background"
BLUE_STAR = "a large blue star in the middle on a grey background"


def mask(graph: Graph, x: int, y: int, side: int) -> Link:
    """A white square on black."""
    black = graph.add("SolidMask", value=0.0, width=64, height=64)[0]
    white = graph.add("SolidMask", value=1.0, width=side, height=side)[0]
    return graph.add("MaskComposite", destination=black, source=white, x=x, y=y, operation="add")[0]


def inpaint(graph: Graph, picture: Link, where: Link, **changes: object) -> Node:
    """Z-Image Inpaint as it suits nano."""
    inputs = {"grow": 0, "feather": 4, "megapixels": NANO_MEGAPIXELS, "fill": "surroundings", "context": 1.0, **changes}
    return graph.add("ZImageInpaint", image=picture, mask=where, vae=graph.vae, **inputs)


def stitched(graph: Graph, painted: Link, region: Node, colour_match: float = 1.0) -> Link:
    """The region back in its picture."""
    return graph.add("ZImageStitch", image=painted, stitch=region[1], colour_match=colour_match)[0]


def inpainting(graph: Graph) -> Rows:
    """Picture, mask, region, painted region, result, difference."""
    picture, where = graph.picture(DOT), mask(graph, 36, 36, 28)
    region = inpaint(graph, picture, where)
    painted = graph.picture(BLUE_STAR, latent=region[0])
    shown = graph.add("MaskToImage", mask=where)[0]
    row = numbered([picture, shown, region[2], painted, stitched(graph, painted, region)])
    return [[*row, Difference(0, 4, 1)]]


def edges(name: str, values: Sequence[int]) -> Draw:
    """An input that moves or softens the edge, seen best where the new ground is another."""

    def draw(graph: Graph) -> Rows:
        picture, where = graph.picture(DOT), mask(graph, 30, 30, 28)
        regions = [inpaint(graph, picture, where, **{"feather": 0, name: value}) for value in values]
        prompt = "a large yellow star in the middle on a black background"
        results = [stitched(graph, graph.picture(prompt, latent=each[0]), each, 0.0) for each in regions]
        return [[Shown(str(value), result) for value, result in zip(values, results, strict=True)]]

    return draw


def fills(graph: Graph) -> Rows:
    """What lies under the mask, and what comes of it at strength 0.3."""
    picture, where = graph.picture("a large red circle in the middle in the sky"), mask(graph, 16, 16, 32)
    names = ("original", "surroundings", "grey")
    regions = [inpaint(graph, picture, where, fill=name, context=2.0) for name in names]
    prompt = "a small blue star in the middle in the sky"
    results = [stitched(graph, graph.picture(prompt, latent=each[0], strength=0.3), each) for each in regions]
    before = [Shown("", each[2]) for each in regions]
    return [before, [Shown(name, result) for name, result in zip(names, results, strict=True)]]


def contexts(graph: Graph) -> Rows:
    """Picture, mask, and how much of it the model sees."""
    picture, where = graph.picture("a large red heart in the middle in the sky"), mask(graph, 4, 4, 16)
    row = [Shown("", picture), Shown("", graph.add("MaskToImage", mask=where)[0])]
    values = (1.0, 2.0, 3.0)
    regions = [inpaint(graph, picture, where, fill="original", context=value)[2] for value in values]
    return [[*row, *(Shown(f"{value:g}", region) for value, region in zip(values, regions, strict=True))]]


def outpaint(graph: Graph, picture: Link, **changes: object) -> Node:
    """Z-Image Outpaint as it suits nano."""
    # fmt: off
    inputs = {
        "ratio": "16:9", "left": 0, "top": 0, "right": 0, "bottom": 0, "megapixels": NANO_MEGAPIXELS, "feather": 8,
        "anchor": "left or top", "context": 1.0, **changes,
    }
    # fmt: on
    return graph.add("ZImageOutpaint", image=picture, vae=graph.vae, **inputs)


def continued(graph: Graph, picture: Link, prompt: str = BLUE_STAR, **changes: object) -> Link:
    """A picture on its larger canvas, painted."""
    region = outpaint(graph, picture, **changes)
    return stitched(graph, graph.picture(prompt, latent=region[0]), region)


def outpainting(graph: Graph) -> Rows:
    """Picture, region, painted region, result."""
    picture = graph.picture("a large red circle in the middle in the sky")
    region = outpaint(graph, picture)
    painted = graph.picture("a large blue star on the right in the sky", latent=region[0])
    return [numbered([picture, region[2], painted, stitched(graph, painted, region)])]


def canvases(graph: Graph) -> Rows:
    """Ratios, then by pixels: 64 at the right, 64 at the top."""
    picture = graph.picture("a large red circle in the middle on a grey background")
    ratio_row = [Shown(name, continued(graph, picture, ratio=name)) for name in ("4:3", "16:9", "9:16")]
    right = continued(graph, picture, ratio="by pixels", right=64)
    return [[*ratio_row, Shown("64", right)]]


def anchors(graph: Graph) -> Rows:
    """Where the old picture lies on the new canvas."""
    picture = graph.picture("a large red circle in the middle on a grey background")
    return [[Shown(name, continued(graph, picture, anchor=name)) for name in ("left or top", "right or bottom")]]


def outer_feathers(graph: Graph) -> Rows:
    """How far the new part reaches into the old, seen best where its ground is another."""
    picture = graph.picture("a large red circle in the middle in the sky")
    prompt = "a large blue star on the right on a black background"
    regions = {value: outpaint(graph, picture, feather=value) for value in (0, 16, 48)}
    painted = {value: graph.picture(prompt, latent=each[0]) for value, each in regions.items()}
    return [[Shown(str(value), stitched(graph, painted[value], each, 0.0)) for value, each in regions.items()]]


def colour_matches(graph: Graph) -> Rows:
    """Picture, painted region darkened by a third on purpose, and put back with less and more matching."""
    picture, where = graph.picture(DOT), mask(graph, 40, 40, 18)
    region = inpaint(graph, picture, where, context=2.0)
    painted = graph.picture("a small blue star at the bottom right on a grey background", latent=region[0])
    black = graph.add("EmptyImage", width=64, height=64, batch_size=1, color=0)[0]
    dark = graph.add("ImageBlend", image1=painted, image2=black, blend_factor=0.3, blend_mode="normal")[0]
    matched = [Shown(f"{each:g}", stitched(graph, dark, region, each)) for each in (0.0, 0.5, 1.0)]
    return [[Shown("", picture), Shown("", dark), *matched]]


STRIPS: dict[str, Draw] = {
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
