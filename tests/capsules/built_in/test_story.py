"""Outlines and how far a story has come."""

import json

import msgspec
import pytest

from servers.capsules.built_in.story_generator.outline import (
    Outline,
    tokens_for,
    with_scenes,
    words_each,
)
from servers.capsules.built_in.story_generator.progress import (
    Story,
    ends_well,
    kept,
    length_is_off,
    resumed,
)
from servers.capsules.strict_answers import NotOfTheForm, decoded

SCENE = {"title": "One", "setting": "a lake", "goal": "they meet", "ending": "night falls"}
OUTLINE = {
    "title": "The lake",
    "characters": [{"name": "Ada", "role": "fisher"}],
    "scenes": [SCENE, {**SCENE, "title": "Two"}],
}


def outline(**changes: object) -> Outline:
    return decoded(json.dumps({**OUTLINE, **changes}), Outline)


def test_an_outline_with_its_scenes_is_taken() -> None:
    with_scenes(2)(outline())


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"scenes": [SCENE]}, "1 scenes, and not 2"),
        ({"scenes": [SCENE, {**SCENE, "title": " ONE "}]}, 'the title " ONE " twice'),
        ({"scenes": []}, "length >= 1"),
        ({"characters": []}, "length >= 1"),
        ({"characters": [{"name": "Ada", "role": "x"}] * 2}, 'the name "Ada" twice'),
        ({"title": ""}, "length >= 1"),
        ({"title": "x" * 301}, "length <= 300"),
        ({"plot": "twist"}, "unknown field"),
    ],
)
def test_an_outline_that_is_none_is_refused(changes: dict[str, object], told: str) -> None:
    with pytest.raises(NotOfTheForm, match=told):
        with_scenes(2)(outline(**changes))


def test_words_are_shared_out_and_tokens_leave_room() -> None:
    assert words_each(600, 3) == 200
    assert words_each(100, 12) == 8
    assert tokens_for(200) > 200


def test_a_story_comes_back_from_its_checkpoint() -> None:
    wish = {"premise": "a lake", "scenes": 2, "words": 200}
    story = Story(wish, outline(), ["It was dark."], ["Ada has a boat"])
    assert resumed(json.loads(json.dumps(kept(story))), wish) == story


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ("rubbish", "not one of this version"),
        ({}, "not one of this version"),
        ({"wish": {}, "outline": OUTLINE, "version": 2}, "not one of this version"),
        ({"wish": {}, "outline": OUTLINE, "scenes": ["a", "b", "c"]}, "not one of this version"),
        ({"wish": {"premise": "a sea"}, "outline": OUTLINE}, "another input"),
    ],
)
def test_a_checkpoint_that_is_none_is_refused(state: object, told: str) -> None:
    with pytest.raises(NotOfTheForm, match=told):
        resumed(state, {})


def test_the_next_scene_goes_on_from_the_end_of_the_last() -> None:
    story = Story({}, msgspec.convert(OUTLINE, Outline), ["first", "x" * 3000])
    assert story.tail == "x" * 1500
    assert Story({}, msgspec.convert(OUTLINE, Outline)).tail == ""


@pytest.mark.parametrize(
    ("scene", "well"),
    [
        ("It ended.", True),
        ('"Go!" ', True),
        ("and then she", False),
        ("\u7d42\u308f\u3063\u305f\u3002", True),
    ],
)
def test_a_scene_that_was_cut_off_is_noticed(scene: str, well: bool) -> None:
    assert ends_well(scene) is well


def test_lengths_far_from_the_wish_are_noticed() -> None:
    assert not length_is_off(700, 600)
    assert length_is_off(300, 600)
    assert length_is_off(900, 600)
