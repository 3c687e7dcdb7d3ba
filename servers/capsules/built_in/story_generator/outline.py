"""The outline of a story: its form, and what a story may be. Pure."""

import math
from collections.abc import Callable
from typing import Annotated

import msgspec

from servers.capsules.strict_answers import NotOfTheForm

Line = Annotated[str, msgspec.Meta(min_length=1, max_length=300)]

LONGER = 1.6
"""Tokens that a word may take, with room for the end of a sentence."""
ROOM_TOKENS = 120


class Character(msgspec.Struct, forbid_unknown_fields=True):
    """Somebody in the story."""

    name: Line
    role: Line


class Scene(msgspec.Struct, forbid_unknown_fields=True):
    """A part of the story: where it is, what it is for, how it ends."""

    title: Line
    setting: Line
    goal: Line
    ending: Line


class Outline(msgspec.Struct, forbid_unknown_fields=True):
    """The form in which a model plans a story."""

    title: Line
    characters: Annotated[list[Character], msgspec.Meta(min_length=1, max_length=12)]
    scenes: Annotated[list[Scene], msgspec.Meta(min_length=1, max_length=20)]


class Notes(msgspec.Struct, forbid_unknown_fields=True):
    """What later scenes have to keep to."""

    notes: Annotated[list[Line], msgspec.Meta(max_length=12)]


def with_scenes(count: int) -> Callable[[Outline], None]:
    """A check that the outline has so many scenes, and no title or name twice."""

    def check(outline: Outline) -> None:
        if len(outline.scenes) != count:
            raise NotOfTheForm(f"$.scenes has {len(outline.scenes)} scenes, and not {count}")
        _distinct("$.scenes", "title", [scene.title for scene in outline.scenes])
        _distinct("$.characters", "name", [each.name for each in outline.characters])

    return check


def words_each(words: int, scenes: int) -> int:
    """The words of each scene."""
    return max(1, round(words / scenes))


def tokens_for(words: int) -> int:
    """Most tokens of a scene of so many words: a scene that is cut off there is cut off late."""
    return math.ceil(words * LONGER) + ROOM_TOKENS


def _distinct(path: str, name: str, lines: list[str]) -> None:
    seen = set[str]()
    for line in lines:
        if (folded := " ".join(line.casefold().split())) in seen:
            raise NotOfTheForm(f'{path} has the {name} "{line}" twice')
        seen.add(folded)
