"""The local ComfyUI installation, for tests that need it."""

import pytest

from tools.comfyui import comfyui_folder

QWEN_VOCABULARY = comfyui_folder() / "comfy/text_encoders/qwen25_tokenizer"

needs_comfyui = pytest.mark.skipif(
    not (comfyui_folder() / "main.py").exists(), reason=f"no ComfyUI in {comfyui_folder()}; `make test` fetches it"
)
