"""Text from tokens as they come: a character that is not whole yet is held back."""

from ..text.prompt import Detokenizer

HALF = "\ufffd"  # what bytes that are no whole character decode to
LONGEST = 4  # tokens that one character may take: one for each of its bytes in UTF-8


class TextStream:
    """Takes tokens of a byte-level vocabulary, as Qwen's and nano's; `text` is all that became readable."""

    def __init__(self, detokenize: Detokenizer) -> None:
        self._detokenize = detokenize
        self._pending: list[int] = []
        self.text = ""

    def add(self, token: int) -> str:
        """The text that this token completes, empty in the middle of a character."""
        self._pending.append(token)
        new = self._detokenize(self._pending)
        if new.endswith(HALF) and len(self._pending) < LONGEST:
            return ""
        self._pending.clear()
        self.text += new
        return new
