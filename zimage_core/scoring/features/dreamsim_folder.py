"""DreamSim, whose distances OneIG-Bench's diversity is told in, through its own package and from files of the user's.

The package (`pip install dreamsim`) reads its weights and runs DINO's code from the folder. It would fetch what is
missing there, so nothing is asked of it before everything is there.
"""

import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from importlib.util import find_spec
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from ..._shapes import Float
from ..model_folder import ModelFolderError
from .encoder import unit

FILES = (  # of the ensemble: its authors' archive, DINO's repository and DINO's weights
    "ensemble_lora/adapter_config.json",
    "dino_vitb16_pretrain.pth",
    "clip_vitb16_pretrain.pth.tar",
    "open_clip_vitb16_pretrain.pth.tar",
    "facebookresearch_dino_main/hubconf.py",
    "checkpoints/dino_vitbase16_pretrain.pth",
)
INSTALL = f'"{sys.executable}" -m pip install dreamsim'


class DreamSimFolder:
    """The ensemble; 1 minus the cosine of two of its vectors is DreamSim's distance."""

    name = "DreamSim ensemble"

    def __init__(self, folder: str | Path, device: str | torch.device = "cpu") -> None:
        path = Path(folder).expanduser()
        missing = next((name for name in FILES if not (path / name).exists()), None)
        if missing:
            raise ModelFolderError(
                f"{path} has no {missing}; put DreamSim's and DINO's files there as OneIG-Bench's page tells, "
                "since none is fetched"
            )
        if find_spec("dreamsim") is None:
            raise ModelFolderError(f"DreamSim needs its package; install it with: {INSTALL}")
        from dreamsim import dreamsim  # pyright: ignore[reportMissingImports]

        self.device = torch.device(device)
        with redirect_stdout(sys.stderr):  # it prints
            self.model, self.prepare = dreamsim(pretrained=True, device=str(self.device), cache_dir=str(path))

    @torch.inference_mode()
    def pictures(self, pictures: Sequence[Image.Image]) -> Float[Tensor, "n c"]:
        """One at a time."""
        found = [self.model.embed(self.prepare(picture.convert("RGB")).to(self.device)) for picture in pictures]
        return unit(torch.cat(found))
