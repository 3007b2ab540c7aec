"""What the enhancer wrote, in the metadata of the pictures drawn from it: before, after, by whom and how."""

from typing import Any

from . import asked, score_results


def tell(hidden: Any, facts: dict[str, Any]) -> None:
    """Name a text in the pictures saved after it, and as the prompt of the samplers that it reaches."""
    if not hidden or not hidden.prompt:
        return
    score_results.tell(hidden, str(hidden.unique_id), {"enhanced": facts})
    for entry in (hidden.extra_pnginfo or {}).get(score_results.KEY, []):
        if "sampler" in entry:
            entry |= {name: text for name, text in asked.texts_of(hidden.prompt, entry["sampler"]).items()}
