"""The node that merges fine-tunes and LoRAs into a model."""

from comfy_api.latest import io, ui

from ..zimage_core.merging import METHODS, Method
from ..zimage_core.merging.method import DENSITIES
from .bridge.patches import merging
from .chinese_words import IN_CHINESE
from .sampler_inputs import seed_input

AUTOMATIC = 0.0


class ZImageMerge(io.ComfyNode):
    """Another model, and files, merged into a MODEL, by groups of blocks."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImageMerge",
            display_name="Z-Image Merge",
            category="Z-Image/tools",
            description="Merges fine-tunes and LoRAs into a Z-Image model, by groups of blocks: weighted sum, TIES or "
            "DARE.",
            search_aliases=[
                "model merge",
                "block merge",
                "ties",
                "dare",
                "checkpoint merger",
                *IN_CHINESE["ZImageMerge"],
            ],
            inputs=[
                io.Model.Input(
                    "model", tooltip="The model that is changed; for TIES and DARE the base the fine-tunes come from."
                ),
                io.Model.Input(
                    "other_model",
                    display_name="other model",
                    optional=True,
                    tooltip="A fine-tune of the same architecture, with its LoRAs.",
                ),
                io.Float.Input(
                    "weight",
                    default=0.5,
                    min=-10.0,
                    max=10.0,
                    step=0.01,
                    tooltip="How much of the other model: 0 none, 1 it alone in place of model, 0.5 the mean of both.",
                ),
                io.String.Input(
                    "blocks",
                    default="",
                    placeholder="0-9=0.5 noise_refiner=0",
                    tooltip="Factors for blocks of the weight, such as 0-9=0.5 noise_refiner=0 rest=1; empty is 1 "
                    "everywhere.",
                ),
                io.Combo.Input(
                    "method",
                    options=list(METHODS),
                    default=METHODS[0],
                    tooltip="sum: the weighted sum of what each differs from model. ties: of each the largest "
                    "differences, where signs agree. dare: of each a share drawn by chance, enlarged.",
                ),
                io.String.Input(
                    "files",
                    multiline=True,
                    default="",
                    placeholder="tuned.safetensors : 0.4\nstyle.safetensors : 0.8 blocks 0-9=0.5",
                    tooltip="More fine-tunes and LoRAs, one a line: a file from models/diffusion_models or "
                    "models/loras, a colon, its weight (1 if none is given), factors for blocks after the word blocks.",
                ),
                io.Float.Input(
                    "density",
                    default=AUTOMATIC,
                    min=AUTOMATIC,
                    max=1.0,
                    step=0.05,
                    advanced=True,
                    tooltip="The share of each difference that ties and dare keep; 0 is their own: 0.2 and 0.5.",
                ),
                seed_input("What dare draws by.", is_advanced=True, control_after_generate=False),
            ],
            outputs=[
                io.Model.Output(display_name="model", tooltip="The merged model; the inputs are unchanged."),
                io.String.Output(display_name="report", tooltip="What was merged, with which weights."),
            ],
        )

    @classmethod
    def validate_inputs(cls, files: str | None = None) -> bool | str:
        return merging.check(files)

    @classmethod
    def fingerprint_inputs(cls, files: str = "", **inputs: object) -> str:
        return merging.state(files)

    @classmethod
    def execute(cls, model, weight, blocks, method, files, density, seed, other_model=None) -> io.NodeOutput:
        how = Method(method, density or DENSITIES[method], seed)
        changed, report = merging.merged(model, other_model, weight, blocks, files, how)
        return io.NodeOutput(changed, report, ui=ui.PreviewText(report))


NODES: list[type[io.ComfyNode]] = [ZImageMerge]
