"""The node on which pictures of several contestants are compared, two at a time."""

from comfy_api.latest import io

from .bridge.page.arena import answers, contestants, rooms
from .chinese_words import IN_CHINESE


class ZImageArena(io.ComfyNode):
    """Blind votes between pictures, and the contestants' standing."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImageArena",
            display_name="Z-Image Arena",
            category="Z-Image/tools",
            description="Compares pictures of two or more contestants by your eye: shows two side by side without "
            "names, you click the better one, and it tells who is stronger, and how sure that is.",
            search_aliases=["compare", "ab test", "elo", "vote", "preference", "dpo", *IN_CHINESE["ZImageArena"]],
            inputs=[
                io.Autogrow.Input(
                    "images",
                    tooltip="One input for each contestant, of any model; a free one appears for each connected. "
                    "Pictures at the same place of their batches are compared.",
                    template=io.Autogrow.TemplatePrefix(
                        io.Image.Input("image", tooltip="The pictures of one contestant."),
                        prefix="image",
                        min=2,
                        max=contestants.MOST_CONTESTANTS,
                    ),
                ),
                io.String.Input(
                    "arena",
                    default="arena",
                    tooltip="The arena's name. Pictures and votes are kept under it, in the folder zimage_arena of "
                    "ComfyUI's output folder, until you write another name.",
                ),
                io.String.Input(
                    "names",
                    multiline=True,
                    dynamic_prompts=False,
                    default="",
                    placeholder="names of the contestants, one a line",
                    tooltip="Who drew the pictures, one name a line in the order of the inputs. Empty calls them A, B, "
                    "C. A name means the same contestant in every run.",
                ),
                io.String.Input(
                    "prompt",
                    multiline=True,
                    dynamic_prompts=False,
                    default="",
                    advanced=True,
                    tooltip="What was asked for; it stands above the pictures. Empty takes the prompt of the samplers "
                    "that drew them.",
                ),
            ],
            outputs=[
                io.String.Output(
                    display_name="standings", tooltip="A line for each contestant: its rating and its votes."
                ),
                io.String.Output(
                    display_name="preferences",
                    tooltip="The file of all votes, one a line as JSON with prompt, chosen and rejected picture: "
                    "examples to train with.",
                ),
            ],
            hidden=[io.Hidden.prompt, io.Hidden.extra_pnginfo, io.Hidden.unique_id],
            is_output_node=True,
        )

    @classmethod
    def fingerprint_inputs(cls, arena=None, **inputs) -> str:
        return rooms.votes_state(arena)

    @classmethod
    def execute(cls, images, arena: str, names: str, prompt: str) -> io.NodeOutput:
        room = rooms.arena_of(arena)
        stored = contestants.add_pictures(room, images, names, prompt, cls.hidden)
        shown = {"zimage_arena": [rooms.view_of(room, picture) for picture in stored]}
        return io.NodeOutput(answers.table(room.standings()), str(room.votes_file), ui=shown)


NODES: list[type[io.ComfyNode]] = [ZImageArena]
