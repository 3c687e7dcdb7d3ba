"""A story: an outline, then scene after scene, streamed; each is kept once it is written."""

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from servers.capsules.asking import capable_model, strictly
from servers.capsules.skill import Skill, SkillError
from servers.capsules.strict_answers import NotOfTheForm

from .outline import Notes, Outline, tokens_for, with_scenes, words_each
from .progress import Story, count, ends_well, kept, length_is_off, resumed

SCENES, WORDS = 3, 600


async def run(skill: Skill) -> Mapping[str, object]:
    """The story. A run that is resumed goes on with the scene that was not kept."""
    await capable_model(skill, "writing a story")
    wish = {"scenes": SCENES, "words": WORDS, **skill.input}
    story = await _begun(skill, wish)
    for number in range(len(story.scenes), len(story.outline.scenes)):
        await skill.progress(
            f"scene {number + 1} of {wish['scenes']}: {story.outline.scenes[number].title}",
            number / wish["scenes"],
        )
        story.scenes.append(await _scene(skill, story, number))
        if number + 1 < len(story.outline.scenes):
            story.notes = await _notes(skill, story)
        await skill.checkpoint(kept(story))
    return _told(skill, story)


async def _begun(skill: Skill, wish: dict[str, Any]) -> Story:
    """The story of the checkpoint, or a new one with its outline."""
    if skill.state is not None:
        try:
            return resumed(skill.state, wish)
        except NotOfTheForm as wrong:
            raise SkillError("REASON_CAPSULE_FAILED", f"cannot go on: {wrong}") from wrong
    await skill.progress("planning", 0.0)
    try:
        outline = await strictly(
            skill,
            Outline,
            json.dumps(wish, ensure_ascii=False),
            system=skill.render("outline", scenes=wish["scenes"]),
            check=with_scenes(wish["scenes"]),
        )
    except NotOfTheForm as wrong:
        raise SkillError(
            "REASON_CAPSULE_FAILED", f"the model gave no outline that can be used: {wrong}"
        ) from wrong
    story = Story(wish, outline)
    await skill.checkpoint(kept(story))
    return story


async def _scene(skill: Skill, story: Story, number: int) -> str:
    """Writes a scene, for the user as it comes. One that failed on the way is written again when
    the run is resumed."""
    words = words_each(story.wish["words"], story.wish["scenes"])
    asked = {
        "wish": story.wish,
        "outline": msgspec.to_builtins(story.outline),
        "notes": story.notes,
        "before": story.tail,
        "scene": number + 1,
    }
    system, pieces = skill.render("scene", words=words), list[str]()
    writing = skill.stream(
        json.dumps(asked, ensure_ascii=False), system=system, max_tokens=tokens_for(words)
    )
    async for piece in writing:
        pieces.append(piece)
        await skill.write(piece)
    await skill.write("\n\n")
    if not (text := "".join(pieces).strip()):
        raise SkillError("REASON_CAPSULE_FAILED", f"the model wrote nothing for scene {number + 1}")
    if not ends_well(text):
        skill.warn(f"scene {number + 1} ends within a sentence")
    return text


async def _notes(skill: Skill, story: Story) -> list[str]:
    """What later scenes have to keep to; without the model's, those before and what was planned."""
    asked = json.dumps({"notes": story.notes, "scene": story.scenes[-1]}, ensure_ascii=False)
    try:
        given = await strictly(skill, Notes, asked, system=skill.render("notes"))
    except NotOfTheForm as wrong:
        skill.warn(f"no notes were taken of scene {len(story.scenes)}: {wrong}")
        return [*story.notes, story.outline.scenes[len(story.scenes) - 1].ending][-12:]
    return given.notes


def _told(skill: Skill, story: Story) -> Mapping[str, object]:
    wished = story.wish["words"]
    if length_is_off(story.words, wished):
        skill.warn(f"the story has {story.words} words; {wished} were wished")
    skill.measure("words", story.words)
    titles = [scene.title for scene in story.outline.scenes]
    return {
        "title": story.outline.title,
        "text": story.text,
        "scenes": [
            {"title": title, "words": count(text)}
            for title, text in zip(titles, story.scenes, strict=True)
        ],
        "characters": msgspec.to_builtins(story.outline.characters),
        "words": story.words,
        "words_wished": wished,
    }
