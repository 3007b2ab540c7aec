"""The node whose noise schedule is drawn as a curve."""

from comfy_api.latest import io

from ..zimage_core.sampling import STRAIGHT, TURBO, drawn_schedule, read_points
from .chinese_words import IN_CHINESE
from .sampler_inputs import shift_input, steps_input


class ZImageDrawnSigmas(io.ComfyNode):
    """SIGMAS of a curve through points, for custom sampling."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImageDrawnSigmas",
            display_name="Z-Image Draw Sigmas",
            category="Z-Image/sampling",
            description="A noise schedule that you draw as a curve, for custom sampling. It begins as Turbo's own.",
            search_aliases=[
                "manual sigmas",
                "custom sigmas",
                "sigma curve",
                "scheduler",
                "curve editor",
                *IN_CHINESE["ZImageDrawnSigmas"],
            ],
            inputs=[
                steps_input(TURBO, "The curve stays the same, more steps only stand closer on it."),
                shift_input(
                    TURBO,
                    "How the curve bends between its points: 3 as Turbo's schedule does, 6 as base's; 1 does not bend "
                    "it.",
                    is_advanced=None,
                ),
                io.String.Input(
                    "points",
                    default=STRAIGHT,
                    tooltip="Points of the curve, between commas: the part of the steps done, a space, and sigma, "
                    "where 1 is noise and 0 the picture. Draw them below, or write them.",
                ),
            ],
            outputs=[
                io.Sigmas.Output(
                    display_name="sigmas", tooltip="The noise levels read off the curve, one more than there are steps."
                )
            ],
        )

    @classmethod
    def validate_inputs(cls, points: str | None = None) -> bool | str:
        try:
            return points is None or bool(read_points(points))
        except ValueError as error:
            return str(error)

    @classmethod
    def execute(cls, steps: int, shift: float, points: str) -> io.NodeOutput:
        return io.NodeOutput(drawn_schedule(steps, shift, points))


NODES: list[type[io.ComfyNode]] = [ZImageDrawnSigmas]
