"""Tiny prompt files in the formats of the suites' authors, and pictures for them."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from zimage_core.evaluation.case import Case
from zimage_core.evaluation.pictures import files_of, find, write_picture_file


def write_json(file: Path, value) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(value, ensure_ascii=False), "utf-8")


def write_lines(file: Path, *records) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(each, ensure_ascii=False) + "\n" for each in records), "utf-8")


def write_csv(file: Path, *rows) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding="utf-8", newline="") as opened:
        table = csv.DictWriter(opened, fieldnames=list(rows[0]))
        table.writeheader()
        table.writerows(rows)


def write_cvtg(folder: Path, per_file: int = 1) -> Path:
    for name in ("CVTG", "CVTG-Style"):
        for n in (2, 3, 4, 5):
            words = [f"word{index}" for index in range(n)]
            record = {
                "prompt": "A shop's window with " + ", ".join(f"a sign '{word}'" for word in words),
                "carrier_list": ["sign"] * n,
                "sentence_list": [f"a shop's sign '{word}'." for word in words],
            }
            records = [{"index": index, **record} for index in range(per_file)]
            write_json(folder / name / f"{n}.json", {"data_list": records})
    return folder


def write_longtext(folder: Path) -> Path:
    record = {"category": "sign", "length": "short", "prompt": "A sign: Open all night", "text": ["Open", "all night"]}
    write_lines(folder / "text_prompts.jsonl", {**record, "text_length": 14, "prompt_id": 0})
    write_lines(
        folder / "text_prompts_zh.jsonl",
        {**record, "prompt": "牌子", "text": ["通宵营业"], "text_length": 4, "prompt_id": 7},
    )
    return folder


def write_oneig(folder: Path) -> Path:
    kinds = ("Anime_Stylization", "Portrait", "General_Object", "Text_Rendering", "Knowledge_Reasoning")
    languages = {"OneIG-Bench.csv": ("prompt_en", ()), "OneIG-Bench-ZH.csv": ("prompt_cn", ("Multilingualism",))}
    for file, (prompt, more) in languages.items():
        rest = {"type": "NP", "prompt_length": "short", "class": "None"}
        rows = [{"category": kind, "id": "003", prompt: f"a {kind}, with a comma", **rest} for kind in (*kinds, *more)]
        write_csv(folder / file, *rows)
    write_csv(folder / "scripts/text/text_content.csv", {"id": "003", "text_content": "Fresh bread\nevery day"})
    write_csv(folder / "scripts/text/text_content_zh.csv", {"id": "003", "text_content": "天天新鲜"})
    write_json(folder / "scripts/reasoning/gt_answer.json", {"003": "a red dog"})
    write_json(folder / "scripts/reasoning/gt_answer_zh.json", {"003": "红色的狗"})
    styles = {"001": "", "003": "Pop Art"}
    write_csv(folder / "scripts/style/style.csv", *({"": n, "id": n, "class": each} for n, each in styles.items()))
    questions = {"1": "Is there a cat?", "2": "Is the cat red?"}
    packed = {"question": json.dumps(questions), "dependency": json.dumps({"1": [0], "2": [1]})}
    for kind in ("anime", "human", "object"):
        write_json(folder / f"scripts/alignment/Q_D/{kind}.json", {"003": packed})
    for kind in ("anime", "human", "object", "multilingualism"):
        plain = {"question": questions, "dependency": {"1": [0], "2": [1]}}
        write_json(folder / f"scripts/alignment/Q_D/{kind}_zh.json", {"003": plain})
    return folder


def write_geneval(folder: Path) -> Path:
    write_lines(
        folder / "evaluation_metadata.jsonl",
        {"tag": "single_object", "include": [{"class": "bench", "count": 1}], "prompt": "a photo of a bench"},
        {
            "tag": "position",
            "include": [{"class": "dog", "count": 1}, {"class": "tv", "count": 1, "position": ["left of", 0]}],
            "prompt": "a photo of a tv left of a dog",
        },
    )
    return folder


def write_geneval2(folder: Path) -> Path:
    asked = [["How many cows are in the image?", "three"], ["Are the cows plastic?", "Yes"]]
    skills = ["count", "attribute"]
    write_lines(
        folder / "geneval2_data.jsonl",
        {"prompt": "three plastic cows", "atom_count": 3, "vqa_list": asked, "skills": skills},
    )
    return folder


def write_dpg(folder: Path) -> Path:
    def row(item, number, dependency, question):
        shown = {"item_id": item, "text": f"the prompt of {item}", "keywords": "", "proposition_id": number}
        kinds = {"category_broad": "entity", "category_detailed": "whole", "tuple": "entity - whole (cat)"}
        return {**shown, "dependency": dependency, **kinds, "question_natural_language": question}

    write_csv(
        folder / "dpg_bench.csv",
        row("partiprompts1", 1, "0", "Is there a cat?"),
        row("partiprompts1", 2, "1", "Is the cat red?"),
        row("stanford7", 1, "0", "Is there a dog?"),
        row("stanford7", 2, "1, 3", "Does the dog bark?"),
        row("stanford7", 3, "0", "Is there a tree?"),
    )
    return folder


def write_tiif(folder: Path) -> Path:
    for kind, n in {"action+3d": 2, "color": 2, "color+3d": 1}.items():  # one name begins with another
        write_lines(
            folder / f"testmini_prompts/{kind}_prompts.jsonl",
            *(
                {"type": kind, "short_description": f"{kind} {line}", "long_description": f"long {line}"}
                for line in range(n)
            ),
        )
        asked = {"type": kind, "yn_question_list": ["Red?", "Blue?"], "yn_answer_list": ["yes", "no"]}
        write_lines(folder / f"testmini_eval_prompts/{kind}_eval_prompts.jsonl", *[asked] * n)
    words = {
        "type": "text",
        "short_description": 'a cup, with the text on it: "Tea", "it\'s"',
        "long_description": "long",
    }
    asked = [f"Is the text '{word}' in the image?" for word in ("Tea", "it's")]
    write_lines(folder / "testmini_prompts/text_prompts.jsonl", words)
    answers = {"type": "text", "yn_question_list": asked, "yn_answer_list": ["Yes", "Yes"]}
    write_lines(folder / "testmini_eval_prompts/text_eval_prompts.jsonl", answers)
    return folder


def write_prism(folder: Path) -> Path:
    tracks = ("affection", "composition", "entity", "imagination", "long_text", "style", "text_rendering")
    for language in ("en", "zh"):
        for track in tracks:
            write_lines(folder / f"captions/{language}/{track}.jsonl", {"prompt": f"{track} {language}"})
    return folder


WRITERS = {
    "cvtg-2k": write_cvtg,
    "longtext": write_longtext,
    "longtext-zh": write_longtext,
    "oneig-text": write_oneig,
    "oneig-text-zh": write_oneig,
    "oneig-alignment": write_oneig,
    "oneig-alignment-zh": write_oneig,
    "oneig-diversity": write_oneig,
    "oneig-diversity-zh": write_oneig,
    "oneig-reasoning": write_oneig,
    "oneig-reasoning-zh": write_oneig,
    "oneig-style": write_oneig,
    "oneig-style-zh": write_oneig,
    "geneval": write_geneval,
    "geneval2": write_geneval2,
    "dpg": write_dpg,
    "tiif-short": write_tiif,
    "tiif-long": write_tiif,
    "tiif-text-short": write_tiif,
    "tiif-text-long": write_tiif,
    "prism": write_prism,
    "prism-zh": write_prism,
}


def coloured(seed: int, side: int = 16) -> Image.Image:
    """A picture of one colour, another for every seed up to some thousands, none black."""
    return Image.new("RGB", (side, side), (seed * 7 % 256, seed // 37 % 256, 40 + seed % 200))


def is_drawn(folder: Path, case: Case) -> bool:
    """Whether all files of a case are there."""
    return all(find(folder, place) for place in case.places)


def save_pictures(folder: Path, case: Case, pictures: Sequence[Image.Image]) -> None:
    """Write all pictures of a case."""
    for name, numbers in files_of(case).items():
        write_picture_file(folder / name, [pictures[number] for number in numbers])
