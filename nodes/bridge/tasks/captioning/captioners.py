"""Who looks at pictures: nano for its own scenes, exactly or as a model that learned it; the language server of the
settings; or a folder in models/LLM.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import folder_paths
from comfy import model_management

from .....zimage_core.language.back_end import BackEnd, Question, Text
from .....zimage_core.language.local_vision import VisionFolder, is_vision_folder
from .....zimage_core.nano.captioner import NanoCaptioner, load_captioner
from .....zimage_core.nano.scene_captioner import SceneCaptioner
from ...loading.files import BUILT_IN
from ...loading.language_server import language_server, required_language_server

LEARNED = "nano, learned (built in)"
SERVER = "language server"
FOLDER = "LLM"  # below models, where packs for vision-language models keep theirs


@dataclass(frozen=True)
class FolderCaptioner:
    """A model of models/LLM, for which ComfyUI makes room on its device first."""

    folder: VisionFolder
    bytes: int
    reads_instructions: bool = True
    sees: bool = True

    @property
    def name(self) -> str:
        """The folder's."""
        return self.folder.name

    def write(self, question: Question) -> Iterator[Text]:
        """The answer, when it is done."""
        model_management.free_memory(self.bytes, model_management.get_torch_device())
        yield from self.folder.write(question)


def captioner_names() -> list[str]:
    """For the dropdown."""
    return [BUILT_IN, LEARNED, SERVER, *_folders()]


def captioner_of(name: str) -> BackEnd:
    """The one of a name; ValueError with one sentence where it is not there."""
    if name == BUILT_IN:
        return SceneCaptioner()
    if name == LEARNED:
        return _learned()
    if name == SERVER:
        return required_language_server()
    if (folder := _folders().get(name)) is None:
        raise ValueError(f"There is no vision-language model {name} in models/LLM: choose another captioner.")
    weights = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    return FolderCaptioner(VisionFolder(folder, device=str(model_management.get_torch_device())), weights)


def captioner_state(name: str) -> str:
    """Changes with the server that would be asked; the error of a wrong address belongs to the run."""
    try:
        server = language_server() if name == SERVER else None
    except ValueError as error:
        return str(error)
    return server.name if server else name


@cache
def _learned() -> NanoCaptioner:
    return load_captioner()


def _folders() -> dict[str, Path]:
    place = Path(folder_paths.models_dir) / FOLDER
    return {each.name: each for each in sorted(place.iterdir()) if is_vision_folder(each)} if place.is_dir() else {}
