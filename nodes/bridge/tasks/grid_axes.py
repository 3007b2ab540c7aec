"""From the widgets of Z-Image Grid to the settings of each picture."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ....zimage_core.checkpoints import DIT
from ....zimage_core.grid import (
    IN_CHINESE,
    Axis,
    Choices,
    Kind,
    Lines,
    Numbers,
    Replacements,
    Value,
    cells,
    check,
    chinese_font,
    layout_of,
    parse_axis,
)
from ....zimage_core.sampling import SOLVERS
from ..loading import files
from .grid import LORA_STRENGTH, MODEL

__all__ = ["NAMES", "axes_of", "files_state", "layout_of", "settings_of"]

WIDGETS = {  # of the axes that vary one, by the axis's name
    "steps": "steps",
    "CFG": "cfg",
    "sampler": "solver",
    "shift": "shift",
    "seed": "seed",
    "img2img strength": "strength",
    "LoRA strength": LORA_STRENGTH,
    "model": MODEL,
    "prompt": "prompt",
}
REPLACED = "words in prompt"
NAMES = (*WIDGETS, REPLACED)
NO_LORA = (
    "{letter} axis is LoRA strength, but no LoRA is chosen. Choose a file of models/loras in LoRA, an advanced input."
)


def axes_of(widgets: Mapping[str, Any], inputs: Iterable[Any], chinese: Mapping[str, str]) -> list[Axis]:
    """The axes x, y and z; `inputs` are the node's, whose limits hold on an axis, too. Raises ValueError.

    Labels call an axis by its `chinese` name if a prompt is Chinese and this machine has a font for it.
    """
    limits = {each.id: each for each in inputs}
    titles = chinese if _is_chinese(widgets) and chinese_font() else {}
    axes = [_axis(letter, widgets, limits, titles) for letter in "xyz"]
    check(axes, widgets["prompt"])
    for axis in axes:
        if WIDGETS.get(axis.name) == LORA_STRENGTH and widgets["lora"] == files.NO_LORA:
            raise ValueError(NO_LORA.format(letter=axis.letter))
    return axes


def settings_of(axes: Sequence[Axis], widgets: Mapping[str, Any]) -> list[dict[str, Any]]:
    """For each picture in order, the widgets' values with those of the axes in their place."""
    replaced = next((str(axis.values[0]) for axis in axes if axis.name == REPLACED), "")
    return [_settings(cell, widgets, replaced) for cell in cells(axes)]


def files_state(inputs: Mapping[str, Any]) -> str:
    """Changes when a file does that the widgets name, so that a replaced one is loaded again."""
    lora = inputs.get("lora")
    states = [files.file_state(files.lora_path(lora))] if lora and lora != files.NO_LORA else []
    for letter in "xyz":
        if WIDGETS.get(inputs.get(f"{letter}_axis") or "") == MODEL:
            states += [files.fingerprint(DIT, name) for name in _model_names(inputs.get(f"{letter}_values") or "")]
    return " ".join(states)


def _model_names(text: str) -> list[str]:
    """The files a model axis names; none where one is unknown, which running tells."""
    try:
        return [str(name) for name in Choices(options=files.choices(DIT)).parse(text)]
    except ValueError:
        return []


def _is_chinese(widgets: Mapping[str, Any]) -> bool:
    """Whether a prompt is, in its box or on an axis."""
    on_axes = [widgets[f"{letter}_values"] for letter in "xyz" if widgets[f"{letter}_axis"] in ("prompt", REPLACED)]
    return any(IN_CHINESE.search(text) for text in (widgets["prompt"], *on_axes))


def _axis(letter: str, widgets: Mapping[str, Any], limits: Mapping[str, Any], titles: Mapping[str, str]) -> Axis:
    name = widgets[f"{letter}_axis"]
    return parse_axis(letter.upper(), name, widgets[f"{letter}_values"], kind_of(name, limits), titles.get(name, ""))


def kind_of(name: str, limits: Mapping[str, Any]) -> Kind | None:
    """How the values of an axis are written, within the limits of the node's input; None for no axis."""
    match WIDGETS.get(name):
        case None:
            return Replacements() if name == REPLACED else None
        case "solver":
            return Choices(options=list(SOLVERS))
        case "model":
            return Choices(options=files.choices(DIT))
        case "prompt":
            return Lines()
        case widget:
            limit = limits[widget]
            return Numbers(low=limit.min, high=limit.max, is_whole=isinstance(limit.default, int))


def _settings(cell: Mapping[str, Value], widgets: Mapping[str, Any], replaced: str) -> dict[str, Any]:
    settings: dict[str, Any] = {**widgets, **{WIDGETS[name]: value for name, value in cell.items() if name in WIDGETS}}
    if replaced:
        settings["prompt"] = str(settings["prompt"]).replace(replaced, str(cell[REPLACED]))
    return settings
