"""Prompts for parts of the picture."""

from comfy_api.latest import io, ui

from .bridge.loading import files
from .bridge.tasks import region_prompts
from .chinese_words import IN_CHINESE
from .sampler_inputs import percent_input


def part_input(name: str, default: float, tooltip: str) -> io.Input:
    """A position or length in parts of the picture."""
    return io.Float.Input(name, default=default, min=0.0, max=1.0, step=0.01, tooltip=tooltip)


class ZImageRegion(io.ComfyNode):
    """Gives a part of the picture a prompt of its own."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImageRegion",
            display_name="Z-Image Region",
            category="Z-Image/conditioning",
            description="Gives a part of the picture a prompt of its own: two people, each in their own clothes. One "
            "node for each part, one after another.",
            search_aliases=[
                "regional prompt",
                "regional prompting",
                "area",
                "conditioning set area",
                "conditioning set mask",
                "attention couple",
                "bounding box",
                "two people",
                *IN_CHINESE["ZImageRegion"],
            ],
            inputs=[
                io.Conditioning.Input(
                    "conditioning",
                    tooltip="The prompt of the whole picture, or what another Z-Image Region made of it.",
                ),
                io.Conditioning.Input(
                    "region_prompt",
                    display_name="region prompt",
                    tooltip="What is to be seen in this part alone. Say where it is, too: on the left.",
                ),
                part_input("x", 0.0, "Left edge, in parts of the picture: 0 is its left edge, 0.5 its middle."),
                part_input("y", 0.0, "Upper edge, in parts of the picture: 0 is its upper edge."),
                part_input("width", 0.5, "Width in parts of the picture; 1 is all of it."),
                part_input("height", 1.0, "Height in parts of the picture; 1 is all of it."),
                io.Float.Input(
                    "strength",
                    default=1.0,
                    min=0.0,
                    max=10.0,
                    step=0.05,
                    tooltip="How much the region's words count: 1 as words of any prompt, 2 twice as much; 0 leaves "
                    "the region out.",
                ),
                io.Float.Input(
                    "global_weight",
                    display_name="global weight",
                    default=0.3,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="How much the prompt of the whole picture counts inside: 0 not at all, 1 fully. Little is "
                    "enough for one light and one style; much mixes the regions up.",
                ),
                io.Float.Input(
                    "outside",
                    default=0.0,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    advanced=True,
                    tooltip="How much the region's words count elsewhere: 0 is a hard edge, above it a soft one.",
                ),
                percent_input(
                    "start_percent", 0.0, "The part of the run at which the region begins to act.", is_advanced=True
                ),
                percent_input(
                    "end_percent",
                    1.0,
                    "The part of the run at which it stops: at 0.5 the whole prompt alone finishes the picture.",
                    is_advanced=True,
                ),
                io.Int.Input(
                    "box_number",
                    display_name="box number",
                    default=0,
                    min=0,
                    max=1000,
                    advanced=True,
                    tooltip="Which of the boxes connected below: 1 is the first, 0 takes all together.",
                ),
                io.MultiType.Input(
                    "boxes",
                    [io.Custom("BOUNDING_BOX"), io.Custom("ARRAY")],
                    optional=True,
                    tooltip="Boxes or elements from Create Bounding Boxes, or any bounding box, in place of the four "
                    "numbers.",
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="A mask of any size in place of box and numbers; grey counts by its brightness.",
                ),
                io.Combo.Input(
                    "lora",
                    display_name="LoRA",
                    options=files.lora_choices(),
                    default=files.NO_LORA,
                    optional=True,
                    advanced=True,
                    tooltip="A LoRA for this part of the picture and its words alone: one person in one style, one in "
                    "another.",
                ),
                io.Float.Input(
                    "lora_strength",
                    display_name="LoRA strength",
                    default=1.0,
                    min=-100.0,
                    max=100.0,
                    step=0.01,
                    optional=True,
                    advanced=True,
                    tooltip="How strong this LoRA acts: 1 as trained, 0 not at all.",
                ),
            ],
            outputs=[
                io.Conditioning.Output(
                    display_name="conditioning",
                    tooltip="The whole prompt with this region, for another Z-Image Region or any sampler.",
                )
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, lora: str = files.NO_LORA, **inputs) -> str:
        return "" if lora == files.NO_LORA else files.file_state(files.lora_path(lora))

    @classmethod
    def execute(
        cls,
        conditioning,
        region_prompt,
        x: float,
        y: float,
        width: float,
        height: float,
        strength: float,
        global_weight: float,
        outside: float,
        start_percent: float,
        end_percent: float,
        box_number: int,
        boxes=None,
        mask=None,
        lora: str = files.NO_LORA,
        lora_strength: float = 1.0,
    ) -> io.NodeOutput:
        changed, note = region_prompts.add_region(
            conditioning,
            region_prompt,
            box=(x, y, width, height),
            boxes=boxes,
            box_number=box_number,
            mask=mask,
            percents=(start_percent, end_percent),
            strength=strength,
            global_weight=global_weight,
            outside=outside,
            lora=(lora, lora_strength),
        )
        return io.NodeOutput(changed, ui=ui.PreviewText(note) if note else None)


NODES: list[type[io.ComfyNode]] = [ZImageRegion]
