"""Rank and hierarchy against NetworkX, rarity against its closed form, words in captions against what people read."""

import math

import networkx
import numpy as np
import pytest

from zimage_core.curation.concepts.caption_stages import rarity
from zimage_core.curation.concepts.graph import Concept, ConceptGraph, edges_of, senses_of
from zimage_core.curation.concepts.hierarchy import (
    ancestors,
    as_edges,
    as_matrix,
    contracted,
    depths,
    generality,
    without_circles,
)
from zimage_core.curation.concepts.matching import lexicon_of, mentions
from zimage_core.curation.concepts.phrase_concepts import with_phrases
from zimage_core.curation.concepts.phrases import phrases
from zimage_core.curation.concepts.ranked import page_rank
from zimage_core.curation.concepts.wordnet import read_wordnet

NODES = 60


def random_edges(seed: int, count: int):
    return edges_of(map(tuple, np.random.default_rng(seed).integers(0, NODES, (count, 2)).tolist()))


def random_dag(seed: int):
    one, other = random_edges(seed, 120)
    return edges_of(
        (max(pair), min(pair)) for pair in zip(one.tolist(), other.tolist(), strict=True) if len(set(pair)) > 1
    )


def as_networkx(edges):
    graph = networkx.DiGraph()
    graph.add_nodes_from(range(NODES))
    graph.add_edges_from(edges.T.tolist())
    return graph


@pytest.mark.parametrize("count", [0, 30, 200])  # none, many nodes without links, few of them
def test_page_rank_is_that_of_networkx(count):
    edges = random_edges(count, count)
    wanted = networkx.pagerank(as_networkx(edges), alpha=0.85, tol=1e-12, max_iter=1000)
    np.testing.assert_allclose(page_rank(edges, NODES), [wanted[node] for node in range(NODES)], atol=1e-9)


def test_what_is_above_and_how_deep_is_that_of_networkx():
    edges = random_dag(1)
    graph, matrix = as_networkx(edges), as_matrix(edges, NODES)
    above = ancestors(matrix)
    for node in range(NODES):
        found = set(above.indices[above.indptr[node] : above.indptr[node + 1]].tolist())
        assert found == networkx.descendants(graph, node)
        below = networkx.ancestors(graph, node)
        assert generality(above)[node] == pytest.approx(math.log(len(below) + 1) / math.log(NODES))
    for depth, level in enumerate(networkx.topological_generations(graph.reverse())):
        assert set(depths(matrix)[level]) == {depth}


def test_circles_are_opened_and_nothing_else_is_lost():
    edges = random_edges(2, 90)
    edges = edges[:, edges[0] != edges[1]]
    rank = page_rank(edges, NODES)
    graph, opened = as_networkx(edges), as_networkx(without_circles(edges, rank))
    assert not networkx.is_directed_acyclic_graph(graph) and networkx.is_directed_acyclic_graph(opened)
    for one, other in set(graph.edges) - set(opened.edges):
        assert networkx.has_path(graph, other, one) and rank[other] <= rank[one]
    np.testing.assert_array_equal(without_circles(random_dag(3), np.zeros(NODES)), random_dag(3))


def test_what_loses_its_parent_hangs_under_the_next_above():
    edges = random_dag(4)
    is_kept = np.random.default_rng(4).random(NODES) < 0.6
    kept, graph = np.flatnonzero(is_kept), as_networkx(edges)
    found = {
        (int(kept[one]), int(kept[other])) for one, other in as_edges(contracted(as_matrix(edges, NODES), is_kept)).T
    }
    for node in kept.tolist():
        through = graph.subgraph([node, *np.flatnonzero(~is_kept).tolist()])
        reached = {node} | networkx.descendants(through, node)
        wanted = {other for each in reached for other in graph.successors(each) if is_kept[other]}
        assert {other for one, other in found if one == node} == wanted


def test_rarity_is_the_inverse_document_frequency():
    wanted = [math.log(1 + (100 - n + 0.5) / (n + 0.5)) for n in (0, 1, 50, 100)]
    np.testing.assert_allclose(rarity(np.array([0, 1, 50, 100]), 100), wanted)
    assert wanted[0] > wanted[1] > wanted[2] > wanted[3] > 0


def spoken(graph, caption):
    lexicon = lexicon_of(graph, ancestors(as_matrix(graph.parents, len(graph.concepts))))
    return [graph.concepts[number].id for number in mentions(caption, lexicon)]


@pytest.mark.parametrize(
    ("caption", "wanted"),
    [
        ("Two WOLVES and a dog, beasts!", ["animal.n.01", "dog.n.01", "wolf.n.01"]),
        ("a red fox", ["red_fox.n.02"]),  # a kind of fox, though the plant is the first sense
        ("red foxes", ["red_fox.n.02"]),
        ("a crane by Crane", ["crane.n.02"]),  # the first sense is a writer's name
        ("a photo of a dog in the background", ["dog.n.01"]),  # not of a photo
        ("they love to jump", []),  # mostly verbs
        ("hotdog dogs", ["dog.n.01"]),
        ("", []),
    ],
)
def test_english_captions_speak_of(wordnet, caption, wanted):
    assert spoken(read_wordnet(wordnet), caption) == wanted


def test_chinese_captions_speak_of_the_longest_words():
    concepts = tuple(Concept(name, chinese=(name,)) for name in ("狗", "热狗", "狐狸"))
    none = edges_of([])
    graph = ConceptGraph(concepts, none, none, senses_of(concepts))
    assert spoken(graph, "一只狐狸吃热狗, a dog") == ["热狗", "狐狸"]
    assert spoken(graph, "狗和狗") == ["狗"]


def test_phrases_are_ends_of_runs_between_function_words():
    assert phrases("A big red fox in the snow, running by an old Stone-wall.") == [
        *("big red fox", "red fox", "fox", "snow"),
        *("old stone-wall", "stone-wall"),
    ]
    assert phrases("一只红狐狸在雪地里，桌子上有三个苹果") == [
        *("红狐狸", "雪地", "桌子", "苹果"),
    ]


def test_phrases_become_kinds_of_what_they_end_with(wordnet):
    graph = with_phrases(read_wordnet(wordnet), ["big red fox", "dogs", "quick jump", "blue robot", "robot"])
    new = {each.id: (number, each.kind) for number, each in enumerate(graph.concepts) if each.id.startswith("phrase")}
    assert set(new) == {"phrase:big red fox", "phrase:blue robot", "phrase:robot"}
    assert new["phrase:big red fox"][1] == "animal"
    parents = {(one, other) for one, other in graph.parents.T.tolist()}
    assert (new["phrase:blue robot"][0], new["phrase:robot"][0]) in parents
