"""Lossy speed-ups of sampling, opt-in."""

from comfy_api.latest import io

from ..zimage_core.sampling import StepCache
from .bridge.patches import step_cache
from .chinese_words import IN_CHINESE
from .sampler_inputs import percent_input


class ZImageStepCache(io.ComfyNode):
    """Adds a step cache to a model."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImageStepCache",
            display_name="Z-Image Step Cache",
            category="Z-Image/sampling",
            description="Lossy: skips steps at which the model's prediction hardly changes, and uses the last one "
            "again. For the base model's many steps; Turbo's few leave nothing to skip.",
            search_aliases=[
                "easycache",
                "teacache",
                "first block cache",
                "fbcache",
                "speed",
                "skip steps",
                *IN_CHINESE["ZImageStepCache"],
            ],
            inputs=[
                io.Model.Input("model", tooltip="A Z-Image model from any loader."),
                io.Float.Input(
                    "threshold",
                    default=step_cache.DEFAULT_CACHE.threshold,
                    min=0.0,
                    max=3.0,
                    step=0.005,
                    round=0.0001,
                    tooltip="How far the prediction may have drifted, relative to itself, before the model "
                    "runs again: 0.02 is careful, 0.1 skips about half of 28 steps, 0 skips none.",
                ),
                percent_input(
                    "start_percent",
                    step_cache.DEFAULT_CACHE.start,
                    "Steps before this part of the run are never skipped; they decide the composition.",
                    is_advanced=True,
                ),
                percent_input(
                    "end_percent",
                    step_cache.DEFAULT_CACHE.end,
                    "Steps that reach past this part of the run are never skipped; below 1 this keeps the last "
                    "step, which nothing could correct.",
                    is_advanced=True,
                ),
                io.Int.Input(
                    "max_skips",
                    display_name="max skips",
                    default=step_cache.DEFAULT_CACHE.max_skips,
                    min=1,
                    max=1000,
                    advanced=True,
                    tooltip="How many steps in a row may be skipped at most.",
                ),
            ],
            outputs=[
                io.Model.Output(
                    display_name="model", tooltip="The model with the cache, for any sampler; the input is unchanged."
                )
            ],
        )

    @classmethod
    def execute(cls, model, threshold, start_percent, end_percent, max_skips) -> io.NodeOutput:
        cache = StepCache(threshold=threshold, start=start_percent, end=end_percent, max_skips=max_skips)
        return io.NodeOutput(step_cache.with_step_cache(model, cache))


NODES: list[type[io.ComfyNode]] = [ZImageStepCache]
