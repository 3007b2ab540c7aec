"""Z-Image nodes for ComfyUI. Importing this file imports nothing: ComfyUI asks for the nodes when it wants them."""

WEB_DIRECTORY = "./js"


async def comfy_entrypoint():
    """ComfyUI's way in."""
    from .nodes import ZImageExtension

    return ZImageExtension()
