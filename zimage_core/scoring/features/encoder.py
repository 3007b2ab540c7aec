"""What turns pictures into vectors, and a user's CLIP or SigLIP from a folder, through transformers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from ..._shapes import Float
from ..model_folder import FROM_FOLDER, ModelFolderError, checked_folder, first_line

SIGLIP_WORDS = 64  # tokens to which SigLIP's text side was trained to be padded


@runtime_checkable
class PictureEncoder(Protocol):
    """Features of pictures."""

    @property
    def name(self) -> str:
        """The model; stands beside every number."""
        ...

    def pictures(self, pictures: Sequence[Image.Image]) -> Float[Tensor, "n c"]:
        """A vector of length 1 for each RGB picture, float32 on the CPU."""
        ...


@runtime_checkable
class WordEncoder(PictureEncoder, Protocol):
    """Features of words in the same space."""

    def words(self, texts: Sequence[str]) -> Float[Tensor, "n c"]:
        """A vector of length 1 for each text."""
        ...


class ClipFolder:
    """Pictures and words in one space, by the model in a folder: CLIP, SigLIP and what transformers loads like them."""

    def __init__(self, folder: str | Path, device: str | torch.device = "cpu", batch: int = 8) -> None:
        from transformers import AutoModel, AutoProcessor

        path = checked_folder(folder)
        self.name, self.device, self.batch = path.name, torch.device(device), batch
        try:
            self.processor: Any = AutoProcessor.from_pretrained(path, **FROM_FOLDER)
            model: Any = AutoModel.from_pretrained(path, use_safetensors=True, **FROM_FOLDER)
        except (OSError, ValueError, KeyError, ImportError) as error:
            raise ModelFolderError(
                f"{path} is no CLIP or SigLIP that transformers reads: {first_line(error)}"
            ) from error
        if not hasattr(model, "get_image_features") or not hasattr(model, "get_text_features"):
            kind = type(model).__name__
            raise ModelFolderError(
                f"{path} holds a {kind}, which does not compare pictures with words; give CLIP or SigLIP"
            )
        self.model = model.to(self.device).eval()
        self.is_siglip = "siglip" in str(model.config.model_type)

    @torch.inference_mode()
    def pictures(self, pictures: Sequence[Image.Image]) -> Float[Tensor, "n c"]:
        """Their features, in batches."""
        features: list[Tensor] = []
        for first in range(0, len(pictures), self.batch):
            some = [picture.convert("RGB") for picture in pictures[first : first + self.batch]]
            inputs = self.processor(images=some, return_tensors="pt").to(self.device)
            features.append(unit(self.model.get_image_features(**inputs)))
        return torch.cat(features)

    @torch.inference_mode()
    def words(self, texts: Sequence[str]) -> Float[Tensor, "n c"]:
        """A vector of length 1 for each text, cut where the model's context ends."""
        filled: dict[str, Any] = (
            {"padding": "max_length", "max_length": SIGLIP_WORDS} if self.is_siglip else {"padding": True}
        )
        inputs = self.processor(text=list(texts), return_tensors="pt", truncation=True, **filled).to(self.device)
        return unit(self.model.get_text_features(**inputs))


def unit(features: Any) -> Float[Tensor, "n c"]:
    """Vectors of length 1; newer versions of transformers wrap them in a record."""
    plain = features if isinstance(features, Tensor) else features.pooler_output
    return F.normalize(plain.float(), dim=-1).cpu()
