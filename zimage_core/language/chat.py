"""Qwen3's chat template for one question, with a system prompt and with or without a thought before the answer."""

TURN = "<|im_start|>{role}\n{text}<|im_end|>\n"
ANSWER = "<|im_start|>assistant\n"
THINK, END_THINK = "<think>", "</think>"
END_OF_TEXT = ("<|im_end|>", "<|endoftext|>")
NO_THOUGHT = f"{THINK}\n\n{END_THINK}\n\n"  # an empty thought: what the template writes where thinking is off
SPECIAL = ("<|im_start|>", *END_OF_TEXT)


def chat(prompt: str, system: str = "", *, thinking: bool) -> str:
    """The text up to where the model goes on. The thought's opening mark is not in it: who writes inserts it."""
    turns = [TURN.format(role="system", text=plain(system))] if system else []
    turns += [TURN.format(role="user", text=plain(prompt)), ANSWER]
    return "".join(turns) + ("" if thinking else NO_THOUGHT)


def split_thought(text: str) -> tuple[str, str]:
    """A thought and an answer that came in one text; a thought without an end is no answer."""
    before, mark, after = text.partition(END_THINK)
    if not mark:
        return (text, "") if text.lstrip().startswith(THINK) else ("", text)
    return before.replace(THINK, "").strip(), after.strip()


def plain(text: str) -> str:
    """Without the template's own marks, which would end a turn in the middle of a text."""
    for mark in SPECIAL:
        text = text.replace(mark, "")
    return text
