"""What concepts are read from, against what the hand-made files say."""

import gzip
import json

import pytest

from zimage_core.curation.concepts.dump_tables import rows_of_dump, unquoted
from zimage_core.curation.concepts.emojibase import read_emojibase
from zimage_core.curation.concepts.graph import joined
from zimage_core.curation.concepts.labels import with_emojis
from zimage_core.curation.concepts.search_dump import read_search_dump
from zimage_core.curation.concepts.wikipedia import read_wiki
from zimage_core.curation.concepts.wordnet import read_wordnet


def by_id(graph, edges):
    return {(graph.concepts[one].id, graph.concepts[other].id) for one, other in edges.T.tolist()}


def test_wordnet_has_its_synsets_senses_and_pointers(wordnet):
    graph = read_wordnet(wordnet)
    ids = [each.id for each in graph.concepts]
    animals = ["canine.n.01", "dog.n.01", "wolf.n.01", "fox.n.01", "red_fox.n.02", "crane.n.03"]
    others = ["crane.n.02", "crane.n.01", "red_fox.n.01", "love.n.01"]
    assert ids == ["entity.n.01", "animal.n.01", "artifact.n.01", *animals, *others]
    dog = graph.concepts[ids.index("dog.n.01")]
    assert (dog.english, dog.kind, dog.is_name) == (("dog", "domestic dog", "Canis familiaris"), "animal", False)
    assert graph.concepts[ids.index("crane.n.01")].is_name
    assert [ids[sense] for sense in graph.senses["crane"]] == ["crane.n.01", "crane.n.02", "crane.n.03"]
    assert graph.senses["wolves"] == graph.senses["wolf"]
    assert {"love", "jump"} == set(graph.unlikely)
    assert ("red_fox.n.02", "fox.n.01") in by_id(graph, graph.parents)
    assert by_id(graph, graph.parents) < by_id(graph, graph.links)
    assert ("fox.n.01", "red_fox.n.02") in by_id(graph, graph.links) - by_id(graph, graph.parents)


def test_emojis_give_chinese_names_and_what_has_no_word_hangs_below(wordnet, emojibase):
    graph = with_emojis(read_wordnet(wordnet), read_emojibase(emojibase))
    chinese = {each.id: each.chinese for each in graph.concepts if each.chinese}
    assert chinese["dog.n.01"] == ("狗",) and chinese["fox.n.01"] == ("狐狸",)
    assert chinese["crane.n.03"] == ("鹤",) and "crane.n.02" not in chinese  # among birds: below animal
    parents = by_id(graph, graph.parents)
    assert ("emoji:1F436", "dog.n.01") in parents
    assert {("emoji:2764", "emojis:heart"), ("emojis:heart", "emojis:smileys-emotion")} < parents
    assert graph.concepts[graph.senses["狗"][0]].id == "dog.n.01"
    assert not any("1F1E6" in each.id for each in graph.concepts)


def test_emojis_alone_hang_below_their_groups(emojibase):
    graph = with_emojis(joined([]), read_emojibase(emojibase))
    assert len(graph.concepts) == 5 + 3 + 2
    assert ("emoji:1F415", "emojis:animal-mammal") in by_id(graph, graph.parents)


def dump(folder, table, columns, rows, *, a_line_each=False):
    created = "".join(f"  `{name}` int(8) NOT NULL,\n" for name in columns)
    joint = ",\n" if a_line_each else ","
    start = f"INSERT INTO `{table}` VALUES" + ("\n" if a_line_each else " ")
    created = f"-- MySQL dump\nCREATE TABLE `{table}` (\n{created}  PRIMARY KEY (`{columns[0]}`)\n) ENGINE=InnoDB;\n"
    text = f"{created}{start}{joint.join(rows)};\n"
    (folder / f"enwiki-20260101-{table}.sql.gz").write_bytes(gzip.compress(text.encode()))


PAGES = [
    "(1,0,'Dog',0,0.5)",
    "(2,0,'Wolf',0,0.5)",
    r"(3,0,'O\'Brien_(a),(b);',0,0.5)",
    "(4,0,'Hound',1,0.5)",
    "(5,14,'Canines',0,0.5)",
    "(6,14,'Animals',0,0.5)",
    "(7,1,'Dog',0,0.5)",
]
PAGE_COLUMNS = ("page_id", "page_namespace", "page_title", "page_is_redirect", "page_random")


@pytest.fixture(params=["linktarget", "titles"])
def wiki(request, tmp_path):
    """The same small wiki as dumps of today and of before linktarget."""
    dump(tmp_path, "page", PAGE_COLUMNS, PAGES, a_line_each=request.param == "linktarget")
    dump(tmp_path, "redirect", ("rd_from", "rd_namespace", "rd_title"), ["(4,0,'Dog')"])
    dump(tmp_path, "langlinks", ("ll_from", "ll_lang", "ll_title"), ["(1,'zh','犬')", "(1,'de','Hund')"])
    links = [(1, 0, "Wolf"), (2, 0, "Hound"), (3, 0, "Dog"), (7, 0, "Wolf"), (1, 0, "Missing"), (1, 4, "Wolf")]
    above = [(1, "Canines"), (2, "Canines"), (5, "Animals")]
    if request.param == "titles":
        rows = [f"({source},{space},'{title}',0)" for source, space, title in links]
        dump(tmp_path, "pagelinks", ("pl_from", "pl_namespace", "pl_title", "pl_from_namespace"), rows)
        dump(
            tmp_path, "categorylinks", ("cl_from", "cl_to", "cl_sortkey"), [f"({one},'{to}','x')" for one, to in above]
        )
        return tmp_path
    targets = sorted({(space, title) for _, space, title in links} | {(14, title) for _, title in above})
    number = {target: place + 100 for place, target in enumerate(targets)}
    rows = [f"({place},{space},'{title}')" for (space, title), place in number.items()]
    dump(tmp_path, "linktarget", ("lt_id", "lt_namespace", "lt_title"), rows)
    rows = [f"({source},0,{number[space, title]})" for source, space, title in links]
    dump(tmp_path, "pagelinks", ("pl_from", "pl_from_namespace", "pl_target_id"), rows)
    rows = [f"({source},'x\\0y','subcat',{number[14, title]})" for source, title in above]
    dump(tmp_path, "categorylinks", ("cl_from", "cl_sortkey", "cl_type", "cl_target_id"), rows)
    return tmp_path


def test_a_wiki_is_read_from_dumps_old_and_new(wiki):
    graph = read_wiki(wiki)
    assert [each.id for each in graph.concepts] == [
        "enwiki:Dog",
        "enwiki:Wolf",
        "enwiki:O'Brien (a),(b);",
        "enwiki:Category:Canines",
        "enwiki:Category:Animals",
    ]
    assert graph.concepts[0].english == ("Dog",) and graph.concepts[0].chinese == ("犬",)
    dog, wolf = "enwiki:Dog", "enwiki:Wolf"
    assert by_id(graph, graph.links) == {(dog, wolf), (wolf, dog), ("enwiki:O'Brien (a),(b);", dog)}
    canines, animals = "enwiki:Category:Canines", "enwiki:Category:Animals"
    assert by_id(graph, graph.parents) == {(dog, canines), (wolf, canines), (canines, animals)}


def test_texts_of_a_dump_keep_what_was_escaped(tmp_path):
    dump(tmp_path, "page", ("page_id", "page_title"), [r"(1,'a\\b\'c\"d''e\n(,)')", "(2,NULL)", "(-3,'')"])
    rows = list(rows_of_dump(tmp_path / "enwiki-20260101-page.sql.gz", ("page_title", "page_id")))
    assert unquoted(rows[0][0]) == b"a\\b'c\"d'e\n(,)" and rows[1:] == [(b"NULL", b"2"), (b"''", b"-3")]


def test_json_lines_are_a_wiki_too(tmp_path):
    pages = [
        {"index": {"_id": "1"}},
        {"title": "Dog", "namespace": 0, "outgoing_link": ["Wolf", "Grey_wolf", "Nothing"], "category": ["Pets"]},
        {"title": "Wolf", "redirect": [{"namespace": 0, "title": "Grey wolf"}]},
        {"title": "Category:Pets", "namespace": 14, "category": ["Animals"]},
        {"title": "Talk:Dog", "namespace": 1, "outgoing_link": ["Dog"]},
    ]
    file = tmp_path / "dump.json.gz"
    file.write_bytes(gzip.compress("".join(json.dumps(page) + "\n" for page in pages).encode()))
    graph = read_search_dump(file)
    assert by_id(graph, graph.links) == {("enwiki:Dog", "enwiki:Wolf")}
    pets, animals = "enwiki:Category:Pets", "enwiki:Category:Animals"
    assert by_id(graph, graph.parents) == {("enwiki:Dog", pets), (pets, animals)}


def cut(file):
    file.write_bytes(file.read_bytes()[:-9])


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda folder: (folder / "enwiki-20260101-pagelinks.sql.gz").unlink(), "holds no …-pagelinks.sql.gz"),
        (lambda folder: cut(folder / "enwiki-20260101-page.sql.gz"), "page.sql.gz is cut off"),
        (
            lambda folder: dump(folder, "page", PAGE_COLUMNS[:3], ["(1,0,'a')"]),
            "no column page_is_redirect, but page_id",
        ),
        (lambda folder: dump(folder, "page", PAGE_COLUMNS, ["(1,0,'a')"]), "line 10 does not have the 5 columns"),
        (lambda folder: (folder / "zhwiki-1-page.sql").write_text("x"), "holds 2 dumps of the table page"),
    ],
)
def test_a_damaged_dump_is_told_in_a_sentence(wiki, spoil, told):
    spoil(wiki)
    with pytest.raises(ValueError, match=told):
        read_wiki(wiki)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("index.noun", None, "holds no index.noun: give the folder of WordNet's files"),
        ("data.noun", "00001740 03 n zz entity 0 000 | x\n", "line 1 is no synset of WordNet's"),
        ("index.noun", "animal n 1 2 @ ~ 1 1 99999999  \n", "line 1 does not fit data.noun"),
        ("data.noun", b"\xff\xfe", "line 1 is not UTF-8 text"),
    ],
)
def test_a_damaged_wordnet_is_told_in_a_sentence(wordnet, tmp_path, name, content, told):
    for file in wordnet.iterdir():
        if file.name != name:
            (tmp_path / file.name).write_bytes(file.read_bytes())
    if content is not None:
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=told):
        read_wordnet(tmp_path)


@pytest.mark.parametrize(
    ("content", "told"),
    [(None, "there is no .*data.json"), ("{", "data.json is not JSON"), ('[{"label": 1}]', "is no list of emojis")],
)
def test_a_damaged_emojibase_is_told_in_a_sentence(tmp_path, content, told):
    (tmp_path / "zh").mkdir()
    if content is not None:
        (tmp_path / "zh" / "data.json").write_text(content)
    with pytest.raises(ValueError, match=told):
        read_emojibase(tmp_path)
