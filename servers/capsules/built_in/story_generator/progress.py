"""How far a story has come: what is kept, and what goes on. Pure."""

from collections.abc import Mapping
from typing import Any

import msgspec

from servers.capsules.strict_answers import NotOfTheForm
from servers.runtime.language.words import words

from .outline import Outline

VERSION = 1
TAIL_CHARACTERS = 1500
"""Of the scene before, that the next one is written after."""
TOLERANCE = 0.4
"""Part by which a story may be longer or shorter than was wished before that is told."""

_ENDS = tuple(".!?\u2026\"'\u201d\u2019\u00bb)*\u3002\uff01\uff1f\u300d")


class Story(msgspec.Struct):
    """The outline, the scenes that are written, and the notes after each of them."""

    wish: dict[str, Any]
    outline: Outline
    scenes: list[str] = []
    notes: list[str] = []
    version: int = VERSION

    @property
    def text(self) -> str:
        """What is written so far."""
        return "\n\n".join(self.scenes)

    @property
    def words(self) -> int:
        """How many words that has."""
        return count(self.text)

    @property
    def tail(self) -> str:
        """The end of what is written."""
        return self.scenes[-1][-TAIL_CHARACTERS:] if self.scenes else ""


def kept(story: Story) -> Any:
    """The story as a checkpoint has it."""
    return msgspec.to_builtins(story)


def resumed(state: Any, wish: Mapping[str, Any]) -> Story:
    """The story of a checkpoint; NotOfTheForm if it is none, or one of another wish."""
    try:
        story = msgspec.convert(state, Story)
    except msgspec.ValidationError as error:
        raise NotOfTheForm(f"the checkpoint is not one of this version: {error}") from error
    if story.version != VERSION or len(story.scenes) > len(story.outline.scenes):
        raise NotOfTheForm("the checkpoint is not one of this version")
    if story.wish != dict(wish):
        raise NotOfTheForm("the run was begun for another input")
    return story


def count(text: str) -> int:
    """The words of a text; a character of a script without spaces counts as one."""
    return len(words(text))


def ends_well(scene: str) -> bool:
    """Whether the text ends where a sentence does."""
    return scene.rstrip().endswith(_ENDS)


def length_is_off(length: int, wished: int) -> bool:
    """Whether so many words are far from what was wished."""
    return abs(length - wished) > TOLERANCE * wished
