"""Readers of documents, in their room."""

import json

import pytest

from kari.conversation_models.v1.file_pb2 import Anchor, SheetRow
from servers.hook_enabled_file.extracted import Extracted
from servers.hook_enabled_file.kinds import PDF, SHEET, SLIDES, WORD
from servers.hook_enabled_file.rooms import READING
from servers.runtime.limited import BytesSource, JobFailed, Room, Why
from tests.hook_enabled_file import samples


async def read(room: Room, data: bytes, content_type: str, **bounds: int) -> Extracted:
    """What a reader makes of a file."""
    found, asked = Extracted(), {"content_type": content_type, "bounds": bounds}
    request = json.dumps(asked).encode()
    async for piece in room.run(f"{READING}.documents:read", BytesSource(data), request):
        found.add(piece)
    return found


async def unreadable(room: Room, data: bytes, content_type: str) -> str:
    """Why a reader can make nothing of a file."""
    with pytest.raises(JobFailed) as failed:
        await read(room, data, content_type)
    assert failed.value.why is Why.UNREADABLE
    return failed.value.sentence


async def test_pdf_is_read_by_page(room: Room) -> None:
    found = await read(room, samples.pdf(["One", "Two"], info="Title"), PDF)
    assert [(s.text, s.anchor.page) for s in found.segments] == [("One", 1), ("Two", 2)]
    assert found.facts == {"pages": 2, "title": "Title"}


async def test_half_a_character_in_a_title_costs_the_title_alone(room: Room) -> None:
    data = samples.pdf(["One"], info="X" * 12).replace(b"(XXXXXXXXXXXX)", b"<FEFF0041D83D>")
    found = await read(room, data, PDF)
    assert [s.text for s in found.segments] == ["One"]
    assert found.facts == {"pages": 1}


@pytest.mark.parametrize(
    ("data", "kind", "part"),
    [
        (samples.word("words"), WORD, b"no XML"),
        (samples.slides("words"), SLIDES, b"no XML"),
        (samples.workbook({"S": [["words"]]}), SHEET, b"no XML"),
        (
            samples.workbook({"S": [["words"]]}),
            SHEET,
            b'<cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/'
            b'core-properties" xmlns:dcterms="http://purl.org/dc/terms/"><dcterms:created>the day '
            b"before</dcterms:created></cp:coreProperties>",
        ),
    ],
    ids=["word", "slides", "workbook", "date"],
)
async def test_broken_properties_do_not_cost_the_text(
    room: Room, data: bytes, kind: str, part: bytes
) -> None:
    """Of office documents."""
    found = await read(room, samples.with_part(data, "docProps/core.xml", part), kind)
    assert found.segments[0].text.startswith("words")


async def test_titles_and_names_are_texts_that_stores_take(room: Room) -> None:
    """Whatever they were."""
    page = b"<title>a\\ud83d&#0;b</title><p>words".replace(b"\\ud83d", b"\xed\xa0\xbd")
    mail = samples.mail_with(b"1", "ab.bin").replace(b'"ab.bin"', b'"a\0b\xff.bin"')
    mail = mail.replace(b"Subject: Plans", b"Subject: a\0\xed\xa0\xbdb")
    for data, kind in ((page, "text/html"), (mail, "message/rfc822")):
        title = str((await read(room, data, kind)).facts["title"])
        assert "\0" not in title
        assert title.encode()


async def test_a_pdf_with_a_loop_ends(room: Room) -> None:
    """Nothing that is there is lost."""
    found = await read(room, samples.looping_pdf(), PDF)
    assert found.left_out == ["page 1 cannot be read"]


async def test_a_locked_pdf_says_so(room: Room) -> None:
    assert "password" in await unreadable(room, samples.locked_pdf(), PDF)


async def test_a_page_without_text_is_told(room: Room) -> None:
    found = await read(room, samples.pdf(["words", ""]), PDF)
    assert found.left_out == ["1 of 2 pages hold no text, only pictures perhaps"]


async def test_pages_beyond_the_bound_are_told(room: Room) -> None:
    found = await read(room, samples.pdf(["a", "b", "c"]), PDF, pages=2)
    assert len(found.segments) == 2
    assert found.left_out == ["pages 3 to 3 were not read: 2 are the most"]


async def test_word_is_read_by_paragraph(room: Room) -> None:
    """Tables by row, in their place."""
    found = await read(room, samples.word("One", "", "Two"), WORD)
    assert [(s.text, s.anchor.line) for s in found.segments] == [
        ("One", 1),
        ("Two", 3),
        ("left cell | right cell", 4),
    ]


async def test_a_workbook_is_read_by_row(room: Room) -> None:
    book = samples.workbook({"Prices": [["tea", 2.5], [], ["coffee", 3]], "Other": [["x"]]})
    found = await read(room, book, SHEET)
    assert [(s.text, s.anchor) for s in found.segments] == [
        ("tea | 2.5", Anchor(row=SheetRow(sheet="Prices", row=1))),
        ("coffee | 3", Anchor(row=SheetRow(sheet="Prices", row=3))),
        ("x", Anchor(row=SheetRow(sheet="Other", row=1))),
    ]
    assert (await read(room, book, SHEET, rows=2)).left_out


async def test_slides_are_read_with_their_notes(room: Room) -> None:
    found = await read(room, samples.slides("Alpha", "Beta"), SLIDES)
    assert [(s.text, s.anchor.page) for s in found.segments] == [
        ("Alpha\nnote on Alpha", 1),
        ("Beta\nnote on Beta", 2),
    ]


async def test_html_is_read_as_it_is_shown(room: Room) -> None:
    """Without scripts and styles."""
    found = await read(room, samples.HTML, "text/html")
    texts = [s.text for s in found.segments]
    assert texts == ["Heading", "First bold words.", "one", "two"]
    assert found.facts == {"title": "A page"}


async def test_mail_is_read_once(room: Room) -> None:
    """Headers, the plain text of two that say the same, and the names of what is attached."""
    found = await read(room, samples.mail(), "message/rfc822")
    texts = [s.text.strip() for s in found.segments]
    assert texts[0].endswith("Subject: Über the engine")
    assert texts[1:] == ["The engine weaves patterns.", "Regards", "Attached: plans.zip"]
    assert found.left_out == ["1 attached files were named, not read"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "latin-1"])
async def test_text_is_read_in_its_encoding(room: Room, encoding: str) -> None:
    """Said by a mark, or guessed; a piece begins at its line."""
    text = "Grüße aus Köln, schöne Straßen überall.\n\nZweiter Absatz: größer und höher.\n"
    found = await read(room, text.encode(encoding), "text/plain")
    assert [(s.anchor.line, s.text) for s in found.segments] == [
        (1, "Grüße aus Köln, schöne Straßen überall."),
        (3, "Zweiter Absatz: größer und höher."),
    ]


@pytest.mark.parametrize(
    ("content_type", "data"),
    [
        ("text/markdown", b"# Heading\n\nA *paragraph*.\n"),
        ("text/csv", b"name,price\ntea,2\n"),
        ("text/x-python", b"def f():\n    return 1\n"),
        ("application/json", b'{"a": 1}\n'),
    ],
)
async def test_texts_of_other_kinds_are_read_as_they_are(
    room: Room, content_type: str, data: bytes
) -> None:
    found = await read(room, data, content_type)
    assert [s.text for s in found.segments] == data.decode().strip().split("\n\n")


@pytest.mark.parametrize(
    ("content_type", "before"),
    [("text/plain", b""), ("text/html", b"<p>"), ("message/rfc822", b"Subject: words\n\n")],
)
async def test_more_characters_than_are_read_are_told(
    room: Room, content_type: str, before: bytes
) -> None:
    found = await read(room, before + b"word " * 1000, content_type, characters=1000)
    assert sum(len(s.text) for s in found.segments) <= 1000
    assert found.left_out == ["only the first 1000 bytes were read"]


async def test_a_zip_file_that_is_no_document_says_so(room: Room) -> None:
    assert "no document" in await unreadable(room, samples.zipped({"a": b"1"}), WORD)


async def test_documents_of_old_formats_say_so(room: Room) -> None:
    old = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(512)
    assert "before 2007" in await unreadable(room, old, "application/msword")
