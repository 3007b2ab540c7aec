"""nano's captioner and writer: what their lessons say, and what the shipped weights make of them."""

import random
from dataclasses import replace

import pytest
import torch

from zimage_core.checkpoints import load_vision
from zimage_core.language.back_end import Question
from zimage_core.nano.captioner import SeeingLanguageModel, load_captioner, load_reader, written_question
from zimage_core.nano.data.caption_reading import stated
from zimage_core.nano.data.captions import LANGUAGES
from zimage_core.nano.data.edit_captions import plain_instruction
from zimage_core.nano.data.edits import held_out_edits
from zimage_core.nano.data.phrasings import training_template
from zimage_core.nano.data.picture_captions import DIFFERENCE, KINDS, named_attributes, picture_caption
from zimage_core.nano.data.render import render
from zimage_core.nano.data.requests import (
    SHORT_HELD_OUT,
    held_out_request,
    is_held_out_riddle,
    plain_request,
    riddle,
    training_request,
)
from zimage_core.nano.data.scenes import Composition, SceneObject, every_scene, held_out_scenes, training_scenes
from zimage_core.nano.files import FOLDER, TOKENIZER
from zimage_core.nano.judging.judge import shuffled
from zimage_core.nano.judging.judge_captions import caption, read
from zimage_core.nano.judging.judge_writer import first_answers, kept, prompts_of
from zimage_core.nano.picture_tokens import WORDS, composition_of, word_ids, words_of, words_seen
from zimage_core.nano.stages.captioner import CaptionerNetwork
from zimage_core.nano.stages.writer import WriterNetwork
from zimage_core.nano.writer import load_writer
from zimage_core.text import load_tokenizer

TRAINED = training_scenes()


@pytest.fixture(scope="module")
def captioner():
    return load_captioner()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_captions_of_every_kind_are_read_back_as_the_scene(kind, language):
    """The reader is the one that prompts are read by."""
    rng = random.Random(0)
    for scene in list(every_scene())[::31]:
        found = stated(picture_caption(scene, kind, language, rng))
        assert found.items() <= vars(scene).items()
        assert {"row" if name == "position" else name for name in named_attributes(kind, language)} <= found.keys()


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_request_that_is_held_out_is_phrased(language):
    rng = random.Random(0)
    held_out = SHORT_HELD_OUT[language]
    made = {training_template(language, rng, held_out) for _ in range(2000)}
    assert len(made) > 1000 and not made & set(held_out)


def test_no_pair_of_shape_and_colour_that_is_held_out_is_hinted_at():
    """A thought has each hint in brackets, half-width or full-width ones."""
    rng = random.Random(0)
    requests = [training_request(rng.choice(TRAINED), rng) for _ in range(2000)]
    hinted = [each for each in requests if set("(\uff08") & set(each.thought)]
    assert len(hinted) > 500 and not any(is_held_out_riddle(each.scene) for each in hinted)


@torch.inference_mode()
def test_the_back_end_sees_what_was_trained():
    """Logits of the network that is trained, and of the language model with its cache, on the same question."""
    tokenizer = load_tokenizer(FOLDER / TOKENIZER)
    network = CaptionerNetwork(WriterNetwork(), tokenizer)
    text, head = network.writer.text, network.writer.head
    edit = held_out_edits(1)[0]
    words = words_of([edit.source, edit.target])
    ids = tokenizer(written_question(2, DIFFERENCE, "en"))
    tokens = (words @ text.embed(torch.tensor([word_ids(tokenizer)]))[0]).flatten(0, 1)
    model = SeeingLanguageModel(text, head, network.place, tokens)
    cache = model.new_cache()
    model.logits(ids[:-1], cache)
    expected = network(torch.tensor([ids]), words)[0, -1]
    torch.testing.assert_close(model.logits(ids[-1:], cache), expected, atol=1e-5, rtol=1e-5)


def said_in(words):
    """Each picture's words, by place."""
    return [[" ".join(word for word, n in zip(WORDS, place, strict=True) if n) for place in each] for each in words]


def test_words_of_a_composition_stand_in_the_order_of_shapes():
    star = SceneObject(shape="star", colour="pink", size="small", row="top", column="left")
    ring = SceneObject(shape="ring", colour="blue", size="large", row="bottom", column="right")
    both = Composition(ground="sky", objects=(ring, star))
    alone = Composition(ground="grey", objects=(ring,))
    found, told = said_in(words_of([both, alone])), ["ring", "blue", "large", "bottom", "right"]
    assert found[0] == ["star", "pink", "small", "top", "left", *told, "sky"]
    assert found[1] == [*told, "", "", "", "", "", "grey"]


def test_the_reader_finds_the_words_of_a_scene():
    scene = shuffled(held_out_scenes())[0]
    seen = words_seen(load_vision(FOLDER / "siglip", torch.float32), load_reader(), [render(scene)])
    assert torch.equal(seen.round(), words_of([scene.composition]))


@pytest.mark.slow
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_captioner_says_what_held_out_scenes_show(captioner, language):
    """Eight scenes as an alarm; `judge_captions` has the table."""
    scenes = shuffled(held_out_scenes())[:8]
    for kind in ("tags", "long"):
        said = [caption(captioner, [render(scene, index)], kind, language) for index, scene in enumerate(scenes)]
        readings = [read(each, scene, kind, language) for each, scene in zip(said, scenes, strict=True)]
        assert sum(len(each.right) for each in readings) >= 0.9 * sum(len(each.stated) for each in readings)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_difference_is_the_instruction_that_led_from_one_to_the_other(captioner, language):
    """Six edits as an alarm; `judge_captions` has the table."""
    pairs = [(edit.render(seed), plain_instruction(edit, language).text) for seed, edit in enumerate(held_out_edits(1))]
    assert sum(caption(captioner, pair, DIFFERENCE, language) == true for pair, true in pairs) >= 5


def test_what_words_describe_is_the_composition_they_were_taken_from():
    for edit in held_out_edits(4):
        for words, truth in zip(words_of([edit.source, edit.target]), (edit.source, edit.target), strict=True):
            found = composition_of(words)
            assert (found.ground, {*found.objects}) == (truth.ground, {*truth.objects})


def test_of_two_pictures_that_read_alike_the_language_model_says_something(captioner):
    picture = render(held_out_scenes()[0])
    assert caption(captioner, [picture, picture], DIFFERENCE, "en")


def test_what_it_is_not_asked_for_is_a_sentence(captioner):
    picture = render(held_out_scenes()[0])
    with pytest.raises(
        ValueError, match="was asked for 'a poem'; it knows: tags, short, medium, long, user, difference"
    ):
        list(captioner.write(Question(prompt="a poem", pictures=(picture,))))
    with pytest.raises(ValueError, match="was shown 1 pictures; 'difference' is said of 2"):
        list(captioner.write(Question(prompt="difference", pictures=(picture,))))


@pytest.mark.slow
def test_the_writer_keeps_what_was_said():
    """Requests in sentences it was never trained on, as users get their prompts; `judge_writer` has the table."""
    rng = random.Random(1)
    requests = [
        held_out_request(scene, language, rng)
        for scene, language in zip(shuffled(held_out_scenes())[:4], LANGUAGES * 2, strict=True)
    ]
    middle = replace(held_out_scenes()[0], row="middle", column="middle")
    lost = plain_request(middle, "我的愿望是{position}的{shape}，{size}", "zh", "en", rng)  # which the model moves
    assert kept([*requests, lost], [each.prompt for each in prompts_of(load_writer(), [*requests, lost])]) == 1


def test_the_writer_solves_riddles_of_pairs_it_never_saw_together():
    """Bananas, which it took for grass in Chinese; `judge_writer` has the table."""
    hidden = [scene for scene in held_out_scenes() if scene.colour == "yellow" and is_held_out_riddle(scene)]
    rng = random.Random(2)
    bananas = [each for each in (riddle(scene, "zh", "zh", rng) for scene in hidden) if "香蕉" in each.text][:3]
    assert kept(bananas, first_answers(load_writer(), bananas)) == 1
