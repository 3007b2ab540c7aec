"""Inputs and node calls for the tests of inpainting."""


def inpaint(nodes, image, mask, vae, **changes):
    settings = {"grow": 2, "feather": 3, "megapixels": 0.004, "fill": "original", "context": 2.0, **changes}
    return nodes.ZImageInpaint.execute(image, mask, vae, **settings).result


def stitched(nodes, result, stitch, strength=1.0):
    return nodes.ZImageStitch.execute([result], [stitch], [strength]).result[0][0]
