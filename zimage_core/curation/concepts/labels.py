"""Emojis take their place in a graph: a label that is a word's gives that concept its Chinese name, others hang below.

Which sense is meant tell the words of an emoji's subgroup and tags: those that are also words of the concept or of
what is above it (Lesk's way). A crane among birds is the bird.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from .emojibase import Emoji, Group
from .graph import Concept, ConceptGraph, extended
from .hierarchy import ancestors, as_matrix
from .matching import base_forms
from .pruning import VISUAL_KINDS, is_visual

WORD = re.compile(r"[a-z0-9']+")
KIND = "emoji"


def with_emojis(graph: ConceptGraph, emojis: Sequence[Emoji]) -> ConceptGraph:
    """The graph with its Chinese names, and below it, or below emojibase's groups, what has no word there."""
    placing = Placing(graph, ancestors(as_matrix(graph.parents, len(graph.concepts))))
    for emoji in emojis:
        placing.add(emoji)
    concepts = tuple(
        concept._replace(chinese=(*concept.chinese, *placing.chinese.get(number, ())))
        for number, concept in enumerate(graph.concepts)
    )
    named = {name: number for number, names in placing.chinese.items() for name in names}
    named |= {
        name: number + len(concepts)
        for number, concept in enumerate(placing.new)
        if concept.kind == KIND
        for name in (*concept.english, *concept.chinese)
    }
    known = ConceptGraph(concepts, graph.links, graph.parents, graph.senses, graph.unlikely)
    return extended(known, placing.new, placing.parents, named)


@dataclass
class Placing:
    """What was found for the emojis so far."""

    graph: ConceptGraph
    above: Any  # (n n), True from a concept to all above it
    chinese: dict[int, list[str]] = field(default_factory=dict[int, list[str]])
    new: list[Concept] = field(default_factory=list[Concept])
    parents: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    groups: dict[str, int] = field(default_factory=dict[str, int])
    words: dict[int, frozenset[str]] = field(default_factory=dict[int, frozenset[str]])

    def add(self, emoji: Emoji) -> None:
        """Give one its place."""
        label, about = emoji.english.lower(), context_of(emoji)
        number, _ = self.meant(label, about)
        if number is not None:
            if emoji.chinese:
                self.chinese.setdefault(number, []).append(emoji.chinese)
            return
        parent = self.parent_of(label, about)
        chinese = (emoji.chinese,) if emoji.chinese else ()
        number = self.append(Concept(f"emoji:{emoji.hexcode}", (emoji.english,), chinese, KIND))
        above = self.group_of(emoji.subgroup, emoji.group) if parent is None else parent
        self.parents += [(number, above)] if above is not None else []

    def append(self, concept: Concept) -> int:
        """A new concept's number, behind those of the graph."""
        self.new.append(concept)
        return len(self.graph.concepts) + len(self.new) - 1

    def parent_of(self, label: str, about: frozenset[str]) -> int | None:
        """The concept of a part of the label that shares most words with the emoji; none where none shares any."""
        best, found = (0, 0, 0), None
        for length, place, part in parts(label):
            form = next((form for form in base_forms(part) if form in self.graph.senses), part)
            sense, shared = self.meant(form, about)
            if shared and (shared, length, place) > best:
                best, found = (shared, length, place), sense
        return found

    def meant(self, word: str, about: frozenset[str]) -> tuple[int | None, int]:
        """The sense of a word that shares most words with the emoji, and how many; without any only the most usual.

        It is one that can be seen, as what an emoji stands for can.
        """
        senses, others = self.graph.senses.get(word, ()), about.difference(WORD.findall(word))
        shared = {sense: len(others & self.words_of(sense)) for sense in senses if self.is_drawable(sense)}
        best = max(shared, key=lambda sense: shared[sense], default=None)  # of the same number the most usual
        if best is None or (not shared[best] and best != senses[0]):
            return None, 0
        return best, shared[best]

    def is_drawable(self, sense: int) -> bool:
        """Whether a concept can be seen."""
        concept = self.graph.concepts[sense]
        return is_visual(concept.kind, concept.id, VISUAL_KINDS)

    def words_of(self, sense: int) -> frozenset[str]:
        """Words of a concept and of what is above it."""
        if sense not in self.words:
            rows = self.above.indices[self.above.indptr[sense] : self.above.indptr[sense + 1]].tolist()
            names = (name for number in (sense, *rows) for name in self.graph.concepts[number].english)
            self.words[sense] = frozenset(word for name in names for word in WORD.findall(name.lower()))
        return self.words[sense]

    def group_of(self, subgroup: Group, group: Group) -> int | None:
        """The concept of a subgroup, which hangs below its group's."""
        above: int | None = None
        for each in (group, subgroup):
            if each.key and each.key not in self.groups:
                names = (each.english,), (each.chinese,) if each.chinese else ()
                self.groups[each.key] = self.append(Concept(f"emojis:{each.key}", *names, kind="group"))
                self.parents += [(self.groups[each.key], above)] if above is not None else []
            above = self.groups.get(each.key, above)
        return above


def context_of(emoji: Emoji) -> frozenset[str]:
    """Words of tags and subgroup, in the singular; that of most groups, objects, is a word for nearly everything."""
    words = (word for name in (*emoji.tags, emoji.subgroup.key) for word in WORD.findall(name.lower()))
    return frozenset(form for word in words for form in base_forms(word))


def parts(label: str) -> Iterator[tuple[int, int, str]]:
    """Runs of words with their length and place; of "flag: Japan" only what is before the colon."""
    words = WORD.findall(label.partition(":")[0])
    for length in range(len(words), 0, -1):
        for first in range(len(words) - length + 1):
            yield length, first, " ".join(words[first : first + length])
