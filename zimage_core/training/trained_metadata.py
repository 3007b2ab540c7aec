"""What every file that was trained says of itself."""

import json
from collections.abc import Mapping


def trained_metadata(
    architecture: str, *, title: str, base: str, recipe: Mapping[str, object], data: str, example: str
) -> dict[str, str]:
    """Under ModelSpec's keys and those of kohya's sd-scripts.

    `base` names the model it was trained on, `data` is a hash of the pictures and captions, `example` a prompt.
    """
    return {
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.architecture": architecture,
        "modelspec.title": title,
        "modelspec.usage_hint": example,
        "ss_base_model_version": base,
        "zimage.recipe": json.dumps(dict(recipe), sort_keys=True),
        "zimage.data": data,
    }
