"""The language server a person named in ComfyUI's settings: whose settings count, its address, and its key."""

from .chosen import language_server, required_language_server

__all__ = ["language_server", "required_language_server"]
