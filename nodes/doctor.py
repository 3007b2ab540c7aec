"""The node that finds out why pictures come out black or burnt."""

from comfy_api.latest import io

from .bridge.loading import inspection
from .bridge.page import doctor_says, metadata
from .bridge.patches import doctor
from .chinese_words import IN_CHINESE


class ZImageDoctor(io.ComfyNode):
    """Watches a MODEL's steps, names what breaks them, and repeats them safely."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImageDoctor",
            display_name="Z-Image Doctor",
            category="Z-Image/sampling",
            description="For black, burnt or one-coloured pictures: watches every step, says under this node which "
            "layer breaks and why, and can repeat the broken step safely.",
            search_aliases=["black image", "nan", "burnt", "debug", "fp16 overflow", *IN_CHINESE["ZImageDoctor"]],
            inputs=[
                io.Model.Input(
                    "model", tooltip="A Z-Image model from any loader; put this node right before a sampler."
                ),
                io.Combo.Input(
                    "broken_step",
                    display_name="broken step",
                    options=[doctor.STOP, doctor.REPEAT],
                    default=doctor.REPEAT,
                    tooltip="When a step gives no numbers (NaN): stop and say which layer and why, or repeat that step "
                    "with plain attention or in float32, without step cache and CUDA graphs, and go on.",
                ),
            ],
            outputs=[
                io.Model.Output(
                    display_name="model", tooltip="The model that watches itself, for any sampler; the input stays."
                )
            ],
            hidden=[io.Hidden.prompt, io.Hidden.unique_id],
        )

    @classmethod
    def execute(cls, model, broken_step: str) -> io.NodeOutput:
        node_id = str(cls.hidden.unique_id) if cls.hidden else ""
        file = metadata.model_file(cls.hidden.prompt, node_id) if cls.hidden else None
        release = inspection.origin(file).get("release", "") if file else ""
        return io.NodeOutput(doctor.with_doctor(model, broken_step, release, doctor_says.teller(node_id)))


NODES: list[type[io.ComfyNode]] = [ZImageDoctor]
