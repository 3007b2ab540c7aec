"""What a recipe says, trained on what Z-Image Train is connected to: an adapter, or all weights."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import folder_paths

from .....zimage_core.adapters import parameter_shapes
from .....zimage_core.checkpoints import read_lora
from .....zimage_core.recipes import LoraConfig, Stage, read_recipe
from ...loading import files
from ...loading.model import load_model
from ...patches.loras import apply
from .lora import LORAS
from .run import Trained, output_file, train
from .sockets import Sockets

SHIPPED = Path(__file__).resolve().parents[4] / "recipes"
BUILT_IN = " (built in)"
OTHERS = ("distill_", "prefer_")  # such recipes are those of `zimage distill` and `zimage prefer`
MODELS = "diffusion_models"  # folder in the output folder
OF_THE_SOCKET = "of the socket"


@dataclass(frozen=True, kw_only=True)
class RecipeChoices:
    """The node's widgets."""

    recipe: str
    name: str
    training_steps: int  # 0: the recipe's
    training_adapter: str
    accept_losing_8_steps: bool


def recipe_names() -> list[str]:
    """For a dropdown: the recipes that are shipped, then those inside the input folder."""
    root = Path(folder_paths.get_input_directory())
    own = sorted(file.relative_to(root).as_posix() for file in root.glob("**/*.toml"))
    shipped = [file.stem for file in sorted(SHIPPED.glob("*.toml")) if not file.stem.startswith(OTHERS)]
    return [*(f"{name}{BUILT_IN}" for name in shipped), *own]


def recipe_file(name: str) -> Path:
    """The file of a name, which cannot lead out of the input folder."""
    if name.endswith(BUILT_IN):
        return SHIPPED / Path(f"{name.removesuffix(BUILT_IN)}.toml").name
    root = Path(folder_paths.get_input_directory()).resolve()
    file = (root / name).resolve()
    if not file.is_relative_to(root):
        raise ValueError(f"The recipe {name!r} lies outside ComfyUI's input folder. Pick one inside it.")
    return file


def state(name: str) -> str:
    """Changes with the file."""
    file = recipe_file(name)
    return files.file_state(str(file)) if file.is_file() else ""


def train_recipe(sockets: Sockets, choices: RecipeChoices) -> tuple[Trained, Any]:
    """Train, or go on, or only tell what was trained before; and the MODEL with what was learned."""
    stages = stages_of(sockets, choices)
    trained = train(sockets, stages)
    if not isinstance(stages[0].config, LoraConfig):
        return trained, load_model(str(trained.file))
    lora = read_lora(trained.file).fitted(parameter_shapes(sockets.model.model.diffusion_model))
    return trained, apply(sockets.model, [(lora, 1.0)])


def stages_of(sockets: Sockets, choices: RecipeChoices) -> list[Stage]:
    """The recipe's stages; model and place are the node's, and so is what its widgets say.

    Where it lists several folders, `learned` reads all but the first.
    """
    given: dict[str, Any] = {"model": OF_THE_SOCKET, "out": OF_THE_SOCKET}
    given |= {"steps": choices.training_steps} if choices.training_steps else {}
    given |= {"accept_losing_8_steps": True} if choices.accept_losing_8_steps else {}
    if choices.training_adapter != files.NO_LORA:
        given["adapter"] = files.lora_path(choices.training_adapter)
    stages = read_recipe(recipe_file(choices.recipe), given, {"data": sockets.dataset.name})
    out = output_file(choices.name, LORAS if isinstance(stages[0].config, LoraConfig) else MODELS)
    return [replace(each, config=replace(each.config, out=out)) for each in stages]
