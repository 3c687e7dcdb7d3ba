"""Captions by a model that sees: only by configuration and role."""

import asyncio
import base64
import io
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from embedded.stores import EmbeddedStores
from servers.multimedia.describing import MARGIN_SECONDS
from servers.runtime.call import acting
from tests.hosting import Somebody, hosting, settings_for
from tests.multimedia.conftest import FILES
from tests.multimedia.media import Media
from tests.multimedia.samples import drawn, photographed, saved
from tests.upstream.script import Script
from tests.upstream.server import Upstream

MAY = frozenset({"chat.user", "chat.files.external"})


async def test_a_caption_takes_the_role(media: Media, eyes: Upstream) -> None:
    """Without it nothing is sent to anybody."""
    told = await media.describe(saved(drawn("Secret plan")), caption=True)
    assert "caption" not in told.facts
    assert not told.warnings
    assert not told.no_caption_because
    assert not eyes.asked("seer")


async def test_a_model_that_sees_says_what_an_image_shows(media: Media, eyes: Upstream) -> None:
    """It is sent the image as models see it, and no metadata."""
    eyes.scripts["seer"] = [Script(chunks=("A white ", "sign."))]
    picture = photographed(drawn("Sign", size=(1800, 1200)))
    allowed = Media(media.wiring, Somebody(roles=MAY))
    with allowed.somebody.acts(allowed.wiring):
        told = await allowed.describe(picture, "sign.jpg", caption=True)
        readers = await allowed.readers()
    assert told.facts["caption"] == "A white sign."
    assert "What the picture shows: A white sign." in told.text
    assert readers["caption"].available
    (name, image) = eyes.asked("seer")[-1].body["messages"][-1]["content"]
    assert name == {"type": "text", "text": "sign.jpg:"}
    head, _, data = image["image_url"]["url"].partition(",")
    sent = Image.open(io.BytesIO(base64.b64decode(data)))
    assert head == "data:image/jpeg;base64"
    assert sent.size == (1024, 683)
    assert not sent.getexif()


async def test_a_model_that_does_not_answer_is_told(media: Media, eyes: Upstream) -> None:
    """No text is missing."""
    eyes.scripts["seer"] = [Script(status=401)]
    allowed = Media(media.wiring, Somebody(roles=MAY))
    with allowed.somebody.acts(allowed.wiring):
        told = await allowed.describe(saved(drawn("Words")), caption=True, ocr=True)
    assert "Words" in told.text
    assert "did not answer" in told.no_caption_because
    assert not told.warnings


async def test_a_caption_for_which_no_time_was_left_may_come_later(
    media: Media, eyes: Upstream
) -> None:
    """Asked for alone, it comes."""
    eyes.scripts["seer"] = [Script(chunks=("A sign.",))]
    allowed = Media(media.wiring, Somebody(roles=MAY))
    with allowed.somebody.acts(allowed.wiring) as call:
        file = await allowed.files.upload(saved(drawn("Words")), "a.png")
        ends = asyncio.get_running_loop().time() + MARGIN_SECONDS
        with acting(replace(call, deadline=ends)):
            told = await allowed.told(file.id, caption=True, ocr=True)
        again = await allowed.told(file.id, caption=True)
    assert "Words" in told.text
    assert "no time left" in told.no_caption_because
    assert told.description.caption_later
    assert again.text == "What the picture shows: A sign."
    assert not again.description.caption_later


@pytest.mark.parametrize(("status", "later"), [(503, True), (400, False)])
async def test_who_is_away_may_say_it_later(
    media: Media, eyes: Upstream, status: int, later: bool
) -> None:
    """Who does not take the image will not take it later either."""
    eyes.scripts["seer"] = [Script(status=status)]
    allowed = Media(media.wiring, Somebody(roles=MAY))
    with allowed.somebody.acts(allowed.wiring):
        told = await allowed.describe(saved(drawn("Words")), caption=True)
    assert told.no_caption_because
    assert told.description.caption_later is later


async def test_who_was_not_shown_the_image_says_nothing_of_it(media: Media, eyes: Upstream) -> None:
    """The model factory asks such a model again, with the name of the file in words."""
    eyes.requests.clear()
    eyes.scripts["seer"] = [Script(status=400), Script(chunks=("A brown dog on a beach.",))]
    allowed = Media(media.wiring, Somebody(roles=MAY))
    with allowed.somebody.acts(allowed.wiring):
        told = await allowed.describe(saved(drawn("Words")), "dog.png", caption=True, ocr=True)
    assert "Words" in told.text
    assert "dog" not in told.text
    assert "caption" not in told.facts
    assert told.no_caption_because == "no caption: eyes/seer did not take the image"


async def test_readers_say_what_is_missing_and_the_way_out(media: Media) -> None:
    readers = await media.readers()
    assert list(readers) == ["caption", "ocr", "speech", "video"]
    assert readers["ocr"].available
    assert readers["video"].available
    assert "chat.files.external" in readers["caption"].unavailable_because


async def test_text_is_read_while_nobody_can_be_asked(
    stores: EmbeddedStores, tmp_path: Path
) -> None:
    """The model factory is down: only the caption is missing, and it is told why."""
    (tmp_path / "files.toml").write_text(FILES)
    servers = ("multimedia", "file_attachment")
    async with hosting(settings_for(stores, tmp_path), *servers) as wiring:
        alone = Media(wiring, Somebody(roles=MAY))
        with alone.somebody.acts(wiring):
            told = await alone.describe(saved(drawn("Words")), caption=True, ocr=True)
            readers = await alone.readers()
    assert "Words" in told.text
    assert "did not answer" in told.no_caption_because
    assert "model_factory" in readers["caption"].unavailable_because
    assert readers["ocr"].available
