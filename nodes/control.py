"""ControlNets: a picture's edges, depth or pose decide where things go."""

from comfy_api.latest import io, ui

from ..zimage_core.adapters.control.control import DEFAULT_STRENGTH
from ..zimage_core.checkpoints import CONTROL
from .bridge.loading import control_net, files, picture_notes
from .bridge.patches import control
from .chinese_words import IN_CHINESE
from .sampler_inputs import VAE_INPUT, percent_input

CATEGORY = "Z-Image/control"
COMPUTATIONS = ["author", "diffusers", "comfyui"]


class ZImageControlNetLoader(io.ComfyNode):
    """The ControlNet's file."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImageControlNetLoader",
            display_name="Z-Image Load ControlNet",
            category=CATEGORY,
            description="Loads a Fun ControlNet for Z-Image: Union or Tile, version 1.0, 2.0, 2.1 or 2.1 lite.",
            search_aliases=[
                "controlnet",
                "fun controlnet",
                "union",
                "tile",
                "model patch",
                "load model patch",
                *IN_CHINESE["ZImageControlNetLoader"],
            ],
            inputs=[
                io.Combo.Input(
                    "control_net_name",
                    display_name="ControlNet name",
                    options=files.choices(CONTROL),
                    default=files.default(CONTROL),
                    tooltip="A file from models/model_patches or models/controlnet, such as "
                    "Z-Image-Turbo-Fun-Controlnet-Union-2.1.safetensors.",
                ),
            ],
            outputs=[
                io.ModelPatch.Output(
                    display_name="control_net",
                    tooltip="The ControlNet, for Z-Image Apply ControlNet; stock nodes cannot use it.",
                )
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, control_net_name: str) -> str:
        return files.fingerprint(CONTROL, control_net_name)

    @classmethod
    def execute(cls, control_net_name: str) -> io.NodeOutput:
        return io.NodeOutput(control_net.load_control(files.path_of(CONTROL, control_net_name)))


class ZImageControl(io.ComfyNode):
    """A ControlNet and its picture, on a model."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImageControl",
            display_name="Z-Image Apply ControlNet",
            category=CATEGORY,
            description="Lets a control picture (edges, depth, a pose, a small picture to enlarge) or a mask steer a "
            "Z-Image model. Several of these nodes in a row add up.",
            search_aliases=[
                "controlnet",
                "apply controlnet",
                "canny",
                "depth",
                "pose",
                "inpaint",
                "fun controlnet",
                *IN_CHINESE["ZImageControl"],
            ],
            inputs=[
                io.Model.Input(
                    "model", tooltip="A Z-Image model from this pack's loader, or from another after Z-Image Attach."
                ),
                io.ModelPatch.Input(
                    "control_net",
                    display_name="ControlNet",
                    tooltip="A Fun ControlNet from Z-Image Load ControlNet or the stock Load Model Patch.",
                ),
                io.Vae.Input(
                    "vae",
                    display_name="VAE",
                    tooltip=VAE_INPUT,
                ),
                io.Image.Input(
                    "image",
                    optional=True,
                    tooltip="The control picture: edges, depth, a pose, or the picture to enlarge for a Tile file. It "
                    "is scaled to the latent's size and cropped to its ratio.",
                ),
                io.Image.Input(
                    "inpaint_image",
                    optional=True,
                    tooltip="A picture to repaint a part of, with a mask; only 2.x files can.",
                ),
                io.Mask.Input("mask", optional=True, tooltip="Where to repaint: white is regenerated, black is kept."),
                io.Float.Input(
                    "strength",
                    default=DEFAULT_STRENGTH,
                    min=-10.0,
                    max=10.0,
                    step=0.01,
                    tooltip="How strongly the ControlNet steers: 0.65 to 0.9 is usual, 0 is not at all.",
                ),
                percent_input("start_percent", 0.0, "Where in the run control begins: 0 is its start.", step=0.001),
                percent_input(
                    "end_percent",
                    1.0,
                    "Where in the run control ends: 1 is its end. Ending early leaves details free.",
                    step=0.001,
                ),
                io.Combo.Input(
                    "computation",
                    display_name="method",
                    options=COMPUTATIONS,
                    default=COMPUTATIONS[0],
                    advanced=True,
                    tooltip="Whose code to follow, as they differ: the author's, which the files were trained with, "
                    "diffusers' or ComfyUI's own nodes'.",
                ),
            ],
            outputs=[io.Model.Output(display_name="model", tooltip="The steered model; the input is unchanged.")],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def execute(
        cls,
        model,
        control_net,
        vae,
        strength: float,
        start_percent: float,
        end_percent: float,
        computation,
        image=None,
        inpaint_image=None,
        mask=None,
    ) -> io.NodeOutput:
        percents = (start_percent, end_percent)
        pictures = (image, inpaint_image, mask)
        node_id = cls.hidden.unique_id if cls.hidden else None
        steered = control.apply(model, control_net, vae, *pictures, strength, percents, computation, node_id)
        note = picture_notes.control_note(*pictures)
        return io.NodeOutput(steered, ui=ui.PreviewText(note) if note else None)


NODES: list[type[io.ComfyNode]] = [ZImageControlNetLoader, ZImageControl]
