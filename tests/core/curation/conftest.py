"""Hand-made excerpts of what concepts are read from, in the formats of the real files."""

import json
from pathlib import Path

import pytest

LICENCE = "  1 This software and database is being provided to you, the LICENSEE, by  \n"
# Real lines with fewer pointers; animals hang directly below entity's parts.
NOUNS = """\
00001740 03 n 01 entity 0 002 ~ 00015388 n 0000 ~ 00021939 n 0000 | that which is perceived  
00015388 03 n 03 animal 0 beast 0 brute 1 003 @ 00001740 n 0000 ~ 02083346 n 0000 ~ 02012849 n 0000 | a living organism  
00021939 03 n 02 artifact 0 artefact 0 002 @ 00001740 n 0000 ~ 03126707 n 0000 | a man-made object  
02083346 05 n 02 canine 0 canid 0 005 @ 00015388 n 0000 + 02677704 a 0101 ~ 02084071 n 0000 ~ 02114100 n 0000 ~ 02118333 n 0000 | any of various fissiped mammals  
02084071 05 n 03 dog 0 domestic_dog 0 Canis_familiaris 0 001 @ 02083346 n 0000 | a member of the genus Canis  
02114100 05 n 01 wolf 0 001 @ 02083346 n 0000 | any of various predatory carnivorous canine mammals  
02118333 05 n 01 fox 0 002 @ 02083346 n 0000 ~ 02119022 n 0000 | alert carnivorous mammal  
02119022 05 n 02 red_fox 0 Vulpes_vulpes 0 001 @ 02118333 n 0000 | the common Old World fox; "a | in it"  
02012849 05 n 01 crane 0 001 @ 00015388 n 0000 | large long-necked wading bird  
03126707 06 n 01 crane 0 001 @ 00021939 n 0000 | lifts and moves heavy objects  
10914447 18 n 02 Crane 1 Stephen_Crane 0 001 @i 00001740 n 0000 | United States writer (1871-1900)  
11825211 20 n 02 red_fox 0 Celosia_argentea 0 001 @ 00001740 n 0000 | weedy annual  
07543288 12 n 01 love 0 002 @ 00001740 n 0000 + 01775553 v 0101 | a strong positive emotion  
"""  # noqa: E501, W291
INDEX = """\
animal n 1 2 @ ~ 1 1 00015388  
artifact n 1 2 @ ~ 1 1 00021939  
beast n 1 2 @ ~ 1 1 00015388  
canine n 1 2 @ ~ 1 0 02083346  
crane n 3 4 @ ~ #m + 3 0 10914447 03126707 02012849  
dog n 1 5 @ ~ #m #p %p 1 1 02084071  
entity n 1 1 ~ 1 1 00001740  
fox n 1 3 @ ~ + 1 1 02118333  
love n 1 1 @ 1 1 07543288  
red_fox n 2 3 @ ~ #m 2 0 11825211 02119022  
wolf n 1 3 @ ~ #m 1 1 02114100  
"""  # noqa: W291


@pytest.fixture(scope="session")
def wordnet(tmp_path_factory) -> Path:
    """Thirteen synsets."""
    folder = tmp_path_factory.mktemp("wordnet")
    (folder / "data.noun").write_text(LICENCE + NOUNS)
    (folder / "index.noun").write_text(LICENCE + INDEX)
    (folder / "noun.exc").write_text("wolves wolf\n")
    (folder / "cntlist.rev").write_text(
        "dog%1:05:00:: 1 42\ndog%2:38:00:: 1 2\nlove%1:12:00:: 1 3\nlove%2:37:00:: 1 9\n"
    )
    (folder / "index.verb").write_text(LICENCE + "jump v 1 1 @ 1 1 01963960  \n")
    return folder


@pytest.fixture(scope="session")
def emojibase(tmp_path_factory) -> Path:
    """Five emojis and a letter, which stands in no group."""
    folder = tmp_path_factory.mktemp("emojibase")
    rows = [
        ("1F415", "dog", "狗", ["animal", "pet"], 3, 34),
        ("1F436", "dog face", "狗脸", ["animal", "dog", "face", "pet"], 3, 34),
        ("1F9A9", "crane", "鹤", ["animal"], 3, 35),
        ("1F98A", "fox", "狐狸", ["animal"], 3, 34),
        ("2764", "red heart", "红心", ["love"], 0, 10),
        ("1F1E6", "regional indicator A", "区域指标 A", [], None, None),
    ]
    for language, place in (("en", 1), ("zh", 2)):
        (folder / language).mkdir()
        data = [
            {"label": row[place], "hexcode": row[0], "tags": row[3]}
            | ({} if row[4] is None else {"group": row[4], "subgroup": row[5]})
            for row in rows
        ]
        (folder / language / "data.json").write_text(json.dumps(data, ensure_ascii=False), "utf-8")
        named = lambda key, name, chinese, order: {"key": key, "message": (name, chinese)[place - 1], "order": order}  # noqa: B023, E731
        groups = [
            named("smileys-emotion", "smileys & emotion", "笑脸和情感", 0),
            named("animals-nature", "animals", "动物", 3),
        ]
        subgroups = [named("heart", "hearts", "心", 10), named("animal-mammal", "mammals", "哺乳动物", 34)]
        subgroups.append(named("animal-bird", "birds", "鸟", 35))
        content = json.dumps({"groups": groups, "subgroups": subgroups}, ensure_ascii=False)
        (folder / language / "messages.json").write_text(content, "utf-8")
    return folder
