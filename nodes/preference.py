"""The node on which a person says which of two pictures of a prompt is better."""

from comfy_api.latest import io

from .bridge.page.arena import contestants, rooms
from .chinese_words import IN_CHINESE
from .datasets import CATEGORY

KIND = rooms.PREFERENCES


class ZImagePreference(io.ComfyNode):
    """Choices between pictures of one prompt, as pairs to train with."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImagePreference",
            display_name="Z-Image Preference",
            category=CATEGORY,
            description="Shows pictures of one prompt two at a time; you click the better one, or press a key. The "
            "choices are kept as preference pairs, from which a model learns your taste.",
            search_aliases=["preference", "dpo", "rlhf", "choose", "taste", *IN_CHINESE["ZImagePreference"]],
            inputs=[
                io.Image.Input(
                    "images",
                    tooltip="Two pictures or more of one prompt, such as a batch; each is compared with each other.",
                ),
                io.Image.Input(
                    "other_images",
                    display_name="other images",
                    optional=True,
                    tooltip="More pictures of the same prompt, such as another model's or another seed's.",
                ),
                io.String.Input(
                    "name",
                    default="my_taste",
                    tooltip="Of the folder in output/zimage_preferences that keeps pictures and choices. The same name "
                    "goes on collecting.",
                ),
                io.String.Input(
                    "prompt",
                    multiline=True,
                    dynamic_prompts=False,
                    default="",
                    advanced=True,
                    tooltip="What was asked for; it stands above the pictures and is what is learned from. Empty takes "
                    "the prompt of the samplers that drew them.",
                ),
            ],
            outputs=[
                io.String.Output(
                    display_name="preferences",
                    tooltip="The file of all choices, one a line as JSON with prompt, chosen and rejected picture. Its "
                    "folder can be moved or packed as it is.",
                ),
                io.Int.Output(display_name="chosen", tooltip="How many pairs have a better picture."),
            ],
            hidden=[io.Hidden.prompt, io.Hidden.extra_pnginfo, io.Hidden.unique_id],
            is_output_node=True,
        )

    @classmethod
    def fingerprint_inputs(cls, name=None, **inputs) -> str:
        return rooms.votes_state(name, KIND)

    @classmethod
    def execute(cls, images, name: str, prompt: str, other_images=None) -> io.NodeOutput:
        room = rooms.arena_of(name, KIND)
        given = {"images": images, "other_images": other_images}
        stored = contestants.add_alternatives(room, given, prompt, cls.hidden)
        shown = {"zimage_arena": [rooms.view_of(room, picture) for picture in stored]}
        chosen = sum(not vote.draw for vote in room.votes())
        return io.NodeOutput(str(room.votes_file), chosen, ui=shown)


NODES: list[type[io.ComfyNode]] = [ZImagePreference]
