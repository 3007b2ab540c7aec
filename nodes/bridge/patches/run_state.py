"""What a node adds to a MODEL around its runs: wrappers under one key, and a state that lives as long as one run."""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any

from comfy.model_patcher import create_model_options_clone


def replace_wrappers(clone: Any, key: str, wrappers: Mapping[str, Callable[..., Any]], *, is_on: bool = True) -> None:
    """Give a MODEL these wrappers, by ComfyUI's kind, in place of an earlier node's of the same kinds and key.

    Where `is_on` is false there are none afterwards.
    """
    for kind, wrapper in wrappers.items():
        clone.remove_wrappers_with_key(kind, key)
        if is_on:
            clone.add_wrapper_with_key(kind, key, wrapper)


@contextmanager
def options_of_run(guider: Any, options: Mapping[str, Any]) -> Generator[None]:
    """More transformer options for one run of a guider, gone with it, also by an error: two runs never share them."""
    earlier = guider.model_options
    guider.model_options = create_model_options_clone(earlier)
    guider.model_options["transformer_options"].update(options)
    try:
        yield
    finally:
        guider.model_options = earlier
