"""Words that a tenant does not want: wherever they stand, and where nobody can say."""

from collections.abc import Iterator

import pytest

from kari.conversation_models.v1.file_pb2 import File, FileState
from kari.multimedia.v1.multimedia_pb2_grpc import MultimediaServiceStub
from servers.hook_enabled_file import plan
from servers.hook_enabled_file.extracted import Extracted
from servers.hook_enabled_file.extracting import Extracting
from servers.hook_enabled_file.hooks import PARTIAL, PASSED, REFUSED, Looked
from servers.hook_enabled_file.policy import Policy
from servers.hook_enabled_file.words import WordRule
from servers.runtime.limited import BytesSource, Room
from tests.hook_enabled_file import samples
from tests.hook_enabled_file.intake import Intake, verdicts
from tests.hook_enabled_file.peers import WHOLE
from tests.hosting import Somebody

NAMED = samples.word("We call it", "project ZEPPELIN from now on")
SPLIT = b"<text:p><text:span>Zep</text:span>pelin</text:p>"
DOES_NOT_STAND = "not allowed here: names of projects"


@pytest.fixture
def careful(intake_server: Intake) -> Iterator[Intake]:
    """Somebody of a tenant that has a rule."""
    mine = Intake(intake_server.wiring, Somebody(tenant_id="careful"))
    with mine.somebody.acts(mine.wiring):
        yield mine


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (NAMED, "plan.docx"),
        (samples.zipped({"a/plan.txt": b"the Zeppelin flies"}), "a.zip"),
        (samples.zipped({"plan.docx": NAMED}), "a.zip"),
        (samples.zipped({"plan.pdf": samples.pdf(["the Zeppelin flies"])}), "a.zip"),
        (samples.tarred({"plan.txt": "der Zeppelin".encode("utf-16")}, "w:gz"), "a.tgz"),
        (samples.zipped({"content.xml": SPLIT}), "a.odt"),
        (samples.mail_with(NAMED, "plan.docx"), "a.eml"),
        (samples.mail_with(samples.zipped({"plan.docx": NAMED}), "plans.zip"), "a.eml"),
        (b"\xef\xbb\xbf" + b"x" * 100 + b" Zeppelin", "zeppelins.txt"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
async def test_words_are_found_wherever_they_stand(careful: Intake, data: bytes, name: str) -> None:
    """In what is packed as in what is not."""
    file = await careful.take(data, name)
    assert (file.state, file.refused_because) == (FileState.FILE_STATE_REFUSED, DOES_NOT_STAND)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (samples.zipped({"a.png": samples.picture()}), "what it holds: a.png"),
        (samples.mail_with(samples.picture(), "a.png"), "what it holds: a.png"),
        (samples.tarred({"caf\udce9.png": samples.picture()}), "what it holds: caf?.png"),
        (
            samples.mail_with(samples.picture(), "ab.png").replace(b'"ab.png"', b'"a\0b.png"'),
            "what it holds: ab.png",
        ),
        (samples.picture(), "one word was not read"),
        (samples.locked_pdf(), "locked by a password"),
        (samples.pdf([f"page {n}" for n in range(301)]), "pages 301 to 301 were not read"),
        (bytes(range(256)) * 9, "no reader for files of type"),
    ],
    ids=["packed", "attached", "latin", "nul", "picture", "locked", "pages", "unknown"],
)
async def test_what_cannot_be_read_to_its_end_is_refused(
    careful: Intake, data: bytes, why: str
) -> None:
    """Nobody can say that the words are not in it."""
    file = await careful.take(data, "a")
    assert file.state == FileState.FILE_STATE_REFUSED
    assert file.refused_because.startswith("words are looked for here, and not all of its text")
    assert why in file.refused_because


@pytest.mark.parametrize(
    "data",
    [
        samples.word("harmless"),
        samples.zipped({"a.txt": b"harmless", "b.docx": samples.word("harmless"), "c": b""}),
        samples.mail_with(samples.pdf(["harmless"]), "a.pdf"),
        b"harmless",
        b"",
    ],
    ids=["word", "zip", "mail", "text", "empty"],
)
async def test_what_is_read_and_harmless_is_let_through(careful: Intake, data: bytes) -> None:
    file = await careful.take(data, "a")
    assert (file.state, verdicts(file)["policy"]) == (FileState.FILE_STATE_READY, "passed")


async def test_a_picture_without_a_caption_is_read_to_its_end(intake: Intake, room: Room) -> None:
    """Nobody who says what it shows is no word that was not read."""
    stub = intake.wiring.stub("hook_enabled_file", "multimedia", MultimediaServiceStub)
    picture = looked(b"", "image/png")
    picture.file.id = WHOLE
    rules = [WordRule(name="names", words=("Zeppelin",))]
    outcome = await Policy(room, Extracting(room, stub), words=rules).look(picture)
    assert outcome.verdict == PASSED
    assert picture.extracted is not None
    assert picture.extracted.missing == ["no caption: nobody answers"]


async def test_others_have_their_words(intake: Intake) -> None:
    assert (await intake.take(NAMED, "plan.docx")).state == FileState.FILE_STATE_READY


async def test_what_was_taken_out_does_not_come_back(careful: Intake) -> None:
    """The policy reads the file as it came, before anything is taken out."""
    file = await careful.take(samples.pdf(["A"], info="Secret"), "a.pdf", strip_metadata=True)
    assert verdicts(file)["policy"] == "passed"
    assert verdicts(file)["strip_metadata"] == "partial"
    assert file.metadata["pages"] == 1
    assert "title" not in file.metadata


def policy(room: Room, *, allow: bool = False) -> Policy:
    """One rule for everybody."""
    rules = [WordRule(name="names", words=("Zeppelin",))]
    return Policy(room, Extracting(room, None), words=rules, allow_unread=allow)  # type: ignore[arg-type]  # not asked


def looked(data: bytes, content_type: str) -> Looked:
    """A file to be looked at."""
    file = File(id="file_1", name="a", size_bytes=len(data), content_type=content_type)
    return Looked(file, BytesSource(data), "t")


async def test_the_unread_may_be_allowed(room: Room) -> None:
    """It is told then; what is read is looked through all the same."""
    packed = {"a.png": samples.picture(), "a.txt": b"harmless"}
    outcome = await policy(room, allow=True).look(looked(samples.zipped(packed), "application/zip"))
    assert outcome.verdict == PARTIAL
    assert "a.png" in outcome.explanation
    packed["a.txt"] = b"the Zeppelin"
    outcome = await policy(room, allow=True).look(looked(samples.zipped(packed), "application/zip"))
    assert outcome.verdict == REFUSED


async def test_a_guard_that_listens_has_the_time_for_it(room: Room) -> None:
    """As the hooks have that find things out; without rules it needs none."""
    recording = looked(b"", "audio/mpeg")
    assert plan.seconds_for(policy(room), recording) > plan.MEDIA_SECONDS
    assert plan.queue_of(policy(room), recording) == plan.Queue.RECORDINGS
    assert plan.queue_of(policy(room), looked(b"", "image/png")) == plan.Queue.IMAGES
    assert plan.queue_of(policy(room), looked(b"", "application/pdf")) == plan.Queue.SHORT
    assert plan.queue_of(Policy(room, policy(room).extracting), recording) == plan.Queue.SHORT
    recording.extracted = Extracted()
    assert plan.queue_of(policy(room), recording) == plan.Queue.SHORT
