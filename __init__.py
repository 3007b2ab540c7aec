"""Z-Image nodes for ComfyUI. Importing this file imports nothing else: nodes load when ComfyUI calls the function."""

WEB_DIRECTORY = "./js"


async def comfy_entrypoint():
    """The extension; ComfyUI calls this function once at startup."""
    from .nodes import ZImageExtension

    return ZImageExtension()
