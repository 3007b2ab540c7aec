"""The node Z-Image Optimize."""

from comfy_api.latest import io, ui

from .bridge.loading import repack
from .bridge.patches import optimize
from .chinese_words import IN_CHINESE

PRECISIONS = (optimize.KEEP, repack.INT8)


class ZImageOptimize(io.ComfyNode):
    """A MODEL made faster or smaller, and a report of what was done."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImageOptimize",
            display_name="Z-Image Optimize",
            category="Z-Image/loaders",
            description="Makes a Z-Image model faster or smaller, and says what it did and refused. What is not "
            "exact has to be asked for. Works on models of any loader.",
            search_aliases=[
                "speed",
                "faster",
                "int8",
                "sage attention",
                "torch compile",
                "low vram",
                "performance",
                *IN_CHINESE["ZImageOptimize"],
            ],
            inputs=[
                io.Model.Input("model", tooltip="A Z-Image model, best straight from its loader."),
                io.Combo.Input(
                    "precision",
                    options=repack.possible(PRECISIONS),
                    default=optimize.KEEP,
                    tooltip="What the main layers multiply in. int8 loads the file again in half of bfloat16's memory, "
                    "is usually faster, and changes pictures a little.",
                ),
                io.Combo.Input(
                    "attention",
                    options=[optimize.AUTOMATIC, optimize.COMFYUI, optimize.SAGE, optimize.FLASH, optimize.XFORMERS],
                    default=optimize.AUTOMATIC,
                    tooltip="Automatic measures the exact kernels once for every picture size and takes the fastest. "
                    "Sage rounds more and can turn base models' pictures black. Sage, flash and xformers are packages "
                    "you install yourself.",
                ),
                io.Combo.Input(
                    "compiling",
                    options=[optimize.OFF, optimize.LAYERS],
                    default=optimize.OFF,
                    advanced=True,
                    tooltip="Compiles the layers with torch.compile: the first picture of every size takes a minute or "
                    "more longer, those after it may be faster.",
                ),
                io.Combo.Input(
                    "caching",
                    options=[optimize.OFF, optimize.STEPS],
                    default=optimize.OFF,
                    optional=True,
                    advanced=True,
                    tooltip="Skips steps at which the prediction hardly changes, as Z-Image Step Cache does with its "
                    "usual values; it changes pictures a little and helps models of many steps.",
                ),
                io.Combo.Input(
                    "graph",
                    display_name="CUDA graphs",
                    options=[optimize.OFF, optimize.AUTOMATIC],
                    default=optimize.OFF,
                    optional=True,
                    advanced=True,
                    tooltip="Automatic runs a whole step as one CUDA graph, for picture sizes that gain by it: mostly "
                    "small ones on fast NVIDIA GPUs. The pictures stay the same; the whole model stays on the GPU.",
                ),
            ],
            outputs=[
                io.Model.Output(display_name="model", tooltip="The optimised model; the input is unchanged."),
                io.String.Output(
                    display_name="report", tooltip="A line for every decision: done, left alone or refused."
                ),
            ],
        )

    @classmethod
    def validate_inputs(cls, precision: str | None = None) -> bool | str:
        return repack.check_choice(precision, PRECISIONS)

    @classmethod
    def execute(cls, model, precision, attention, compiling, caching=optimize.OFF, graph=optimize.OFF) -> io.NodeOutput:
        optimized, report = optimize.optimize(model, precision, attention, compiling, caching, graph)
        return io.NodeOutput(optimized, report, ui=ui.PreviewText(report))


NODES: list[type[io.ComfyNode]] = [ZImageOptimize]
