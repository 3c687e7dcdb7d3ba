"""Speech to text: by a service, by configuration and role, or by a model on this machine."""

import asyncio
import io
from collections.abc import AsyncIterator
from importlib.util import find_spec
from pathlib import Path

import av
import pytest
import pytest_asyncio

from embedded.stores import EmbeddedStores
from servers.multimedia import configured
from servers.multimedia.configuration import configuration_of
from servers.runtime.call import Call, acting, principal
from servers.runtime.ids import new_correlation_id
from servers.runtime.settings import Misconfigured, Settings
from tests.hosting import Somebody, hosting, settings_for
from tests.multimedia.media import Media
from tests.multimedia.samples import filmed, recorded
from tests.multimedia.transcriber import Transcriber

FILES = """
[media]
minutes = 0.5
ocr = false

[speech]
base_url = "{url}"
model = "listener"
key_env = "LISTENER_KEY"
role = "chat.listens"
language = "en"
part_seconds = 10
"""
MAY = frozenset({"chat.user", "chat.listens"})


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def service() -> AsyncIterator[Transcriber]:
    """The speech service."""
    async with Transcriber() as transcriber:
        yield transcriber


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(
    stores: EmbeddedStores, tmp_path_factory: pytest.TempPathFactory, service: Transcriber
) -> AsyncIterator[Media]:
    """A multimedia server that knows the service."""
    folder = tmp_path_factory.mktemp("speech")
    (folder / "files.toml").write_text(FILES.format(url=service.base_url))
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("LISTENER_KEY", "open sesame")
        names = ("multimedia", "file_attachment", "model_factory")
        async with hosting(settings_for(stores, folder), *names) as wiring:
            yield Media(wiring, Somebody())


@pytest_asyncio.fixture(loop_scope="session")
async def media(server: Media, service: Transcriber) -> AsyncIterator[Media]:
    """It in the hands of somebody who may have recordings sent out."""
    service.answers, service.heard, service.seconds = [{"text": "hello"}], [], 0.0
    mine = Media(server.wiring, Somebody(roles=MAY))
    with mine.somebody.acts(mine.wiring):
        yield mine


async def test_a_service_hears_a_recording_in_parts(media: Media, service: Transcriber) -> None:
    """Each passage has its time in the whole recording."""
    segments = [
        {"start": 0.5, "end": 2.0, "text": " One two."},
        {"start": 2.0, "end": 4.0, "text": " Three."},
    ]
    service.answers = [
        {"text": "", "language": "english", "segments": segments},
        {"text": "Four."},
    ]
    told = await media.describe(recorded(15), speech=True)
    said = [(chunk.text, chunk.anchor.time.ToSeconds()) for chunk in told.description.chunks]
    (first, second) = service.heard
    assert said[0] == ("One two. Three.", 0)
    assert said[1][0] == "Four."
    assert 5 <= said[1][1] <= 10
    assert told.facts["language"] == "english"
    assert first.authorization == "Bearer open sesame"
    expected = {"model": "listener", "response_format": "verbose_json", "language": "en"}
    assert first.fields == expected
    with av.open(io.BytesIO(second.sound)) as sound:
        assert sound.format.name == "mp3"
        assert sound.streams.audio[0].rate == 16_000


async def test_the_sound_of_a_video_is_heard(media: Media, service: Transcriber) -> None:
    """Text in pictures is off here, and that is said."""
    told = await media.describe(filmed(("A",), 4, sound=True), speech=True, ocr=True)
    assert told.text == "hello"
    assert len(service.heard) == 1
    assert "switches it off" in told.warnings


async def test_without_the_role_nothing_leaves(media: Media, service: Transcriber) -> None:
    """Whatever else is to be had is told."""
    other = Media(media.wiring, Somebody())
    with other.somebody.acts(other.wiring):
        told = await other.describe(recorded(2), speech=True)
        readers = await other.readers()
    assert not service.heard
    assert told.facts["duration_seconds"] == pytest.approx(2)
    if not readers["speech"].available:
        assert "chat.listens" in told.warnings


@pytest.mark.parametrize("answer", [500, b"not json", b'{"text": 7}'])
async def test_a_service_that_fails_is_a_warning(
    media: Media, service: Transcriber, answer: int | bytes
) -> None:
    service.answers = [answer]
    told = await media.describe(recorded(2), speech=True)
    assert "did not answer" in told.warnings
    assert "SECRET" not in told.warnings
    assert not told.text


async def test_a_long_answer_is_read_to_its_end(media: Media, service: Transcriber) -> None:
    """It comes in more than one piece."""
    segment = {"start": 0.0, "end": 1.0, "text": "word " * 40}
    service.answers = [{"text": "", "segments": [segment] * 5000}]
    told = await media.describe(recorded(2), speech=True)
    assert not told.warnings
    assert len(told.text) > 900_000


async def test_who_answers_after_the_call_is_told_as_late(
    media: Media, service: Transcriber
) -> None:
    """The service is within its own time: what was heard before is not lost with the call."""
    service.seconds = 60.0
    ends = asyncio.get_running_loop().time() + 8
    file = await media.files.upload(recorded(2))
    with acting(Call(new_correlation_id(), principal=principal(), deadline=ends)):
        told = await media.told(file.id, speech=True)
    assert told.facts["duration_seconds"] == pytest.approx(2)
    assert "time was over before the speech service had answered" in told.warnings
    assert "speech from 0 s to 2 s is left out" in told.warnings


async def test_what_is_too_long_is_left_out_and_told(media: Media, service: Transcriber) -> None:
    told = await media.describe(recorded(50, "mp3", "libmp3lame", 44_100), speech=True)
    assert "left out" in told.warnings
    assert len(service.heard) < 5


async def test_a_service_hears_only_what_is_not_silent_to_the_user(
    media: Media, service: Transcriber
) -> None:
    """Nobody asked for speech: nothing is sent."""
    await media.describe(recorded(2))
    assert not service.heard


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('[speech]\nbase_url = "ftp://x"', "speech.base_url"),
        ("[media]\njobs = 0", "media.jobs"),
        ("[caption]\nmodle = 1", "caption.modle"),
        ("[media", "not TOML"),
    ],
)
def test_a_wrong_configuration_is_named(text: str, complaint: str) -> None:
    with pytest.raises(Misconfigured, match=complaint):
        configuration_of(text, "files.toml")


def test_a_key_that_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "files.toml").write_text(
        '[speech]\nbase_url = "https://speech.example.org/v1"\nkey_env = "NO_SUCH_KEY"\n'
    )
    configuration = configured.read(Settings(data=tmp_path))
    with pytest.raises(Misconfigured, match="NO_SUCH_KEY"):
        configured.key_of(configuration.speech)


@pytest.mark.skipif(find_spec("faster_whisper") is None, reason="make run EXTRAS=speech")
async def test_this_machine_hears_where_the_extra_is_installed(
    stores: EmbeddedStores, tmp_path: Path
) -> None:
    """A tone says nothing, and is heard to its end."""
    (tmp_path / "files.toml").write_text("[media]\nocr = false\n")
    names = ("multimedia", "file_attachment", "model_factory")
    async with hosting(settings_for(stores, tmp_path), *names) as wiring:
        local = Media(wiring, Somebody())
        with local.somebody.acts(wiring):
            assert (await local.readers())["speech"].available
            told = await local.describe(recorded(3), speech=True)
    assert not told.warnings
