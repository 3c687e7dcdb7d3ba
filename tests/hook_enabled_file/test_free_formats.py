"""Documents of other programs than those of one vendor: OpenDocument, EPUB, RTF."""

import pytest

from kari.conversation_models.v1.file_pb2 import Anchor, SheetRow
from servers.hook_enabled_file.kinds import EPUB
from servers.runtime.limited import Room
from tests.hook_enabled_file import samples
from tests.hook_enabled_file.intake import Intake
from tests.hook_enabled_file.test_reading import read, unreadable

ODF = "application/vnd.oasis.opendocument"
ODT, ODS, ODP = f"{ODF}.text", f"{ODF}.spreadsheet", f"{ODF}.presentation"
TEXT = samples.open_document(
    "text",
    "<text:h>Rules</text:h><text:p>The <text:span>mill</text:span><text:s/>opens<text:tab/>late"
    "</text:p><text:tracked-changes><text:p>deleted</text:p></text:tracked-changes><text:p/>"
    "<table:table><table:table-row><table:table-cell><text:p>left</text:p></table:table-cell>"
    "<table:table-cell><text:p>right</text:p></table:table-cell></table:table-row></table:table>"
    "<text:p>Before <draw:text-box><text:p>within</text:p></draw:text-box> behind</text:p>",
    title="Of mills",
)
SHEET = samples.open_document(
    "spreadsheet",
    '<table:table table:name="Flour"><table:table-row><table:table-cell><text:p>kind</text:p>'
    "</table:table-cell><table:table-cell/><table:table-cell><text:p>price</text:p>"
    '</table:table-cell><table:table-cell table:number-columns-repeated="16000"/>'
    '</table:table-row><table:table-row table:number-rows-repeated="40"><table:table-cell/>'
    "</table:table-row><table:table-row><table:table-cell><text:p>rye</text:p>"
    "</table:table-cell></table:table-row></table:table>",
)
SLIDES = samples.open_document(
    "presentation",
    "<draw:page><draw:frame><text:p>First</text:p><text:p>more</text:p></draw:frame></draw:page>"
    "<draw:page><text:p>Second</text:p></draw:page><draw:page><text:p>Third</text:p></draw:page>",
)


async def test_texts_are_read_by_paragraph(room: Room) -> None:
    """Tables by row; what was deleted is not told."""
    found = await read(room, TEXT, ODT)
    assert [segment.text for segment in found.segments] == [
        "Rules",
        "The mill opens\tlate",
        "left | right",
        "within",
        "Before  behind",
    ]
    assert [segment.anchor.line for segment in found.segments] == [1, 2, 4, 5, 6]
    assert (found.facts, found.left_out) == ({"title": "Of mills"}, [])


async def test_tables_are_read_by_row(room: Room) -> None:
    """However often a row or a cell is there."""
    found = await read(room, SHEET, ODS)
    assert [(segment.text, segment.anchor) for segment in found.segments] == [
        ("kind |  | price", Anchor(row=SheetRow(sheet="Flour", row=1))),
        ("rye", Anchor(row=SheetRow(sheet="Flour", row=42))),
    ]
    cut = await read(room, SHEET, ODS, rows=20)
    assert cut.left_out == ["only the first 20 rows were read"]


async def test_presentations_are_read_by_slide(room: Room) -> None:
    found = await read(room, SLIDES, ODP, pages=2)
    assert [(s.text, s.anchor.page) for s in found.segments] == [("First\nmore", 1), ("Second", 2)]
    assert found.left_out == ["slides behind 2 were not read"]


async def test_books_are_read_by_chapter(room: Room) -> None:
    """In the order of reading, whatever that of their parts; one that is gone is told."""
    found = await read(room, samples.book("One", "Two <b>words</b>"), EPUB)
    assert [(s.text, s.anchor.page) for s in found.segments] == [("One", 1), ("Two words", 2)]
    assert found.facts == {"chapters": 2, "title": "A book"}
    gone = samples.book("One", "Two").replace(b"c 2.xhtml", b"c 9.xhtml")
    assert (await read(room, gone, EPUB)).left_out == ["1 of 2 chapters cannot be read"]


async def test_rtf_is_read_without_its_control_words(room: Room) -> None:
    found = await read(room, samples.RTF, "text/rtf")
    text = "\n".join(segment.text for segment in found.segments)
    assert text.splitlines() == ["The mill opens at nine.", "Mühle €5.", "Bold end."]


@pytest.mark.parametrize("content_type", [ODT, ODS, ODP, EPUB])
async def test_what_is_cut_is_broken(room: Room, content_type: str) -> None:
    data = {ODT: TEXT, ODS: SHEET, ODP: SLIDES, EPUB: samples.book("One")}[content_type]
    assert "broken" in await unreadable(room, data[: len(data) // 2], content_type)


async def test_of_cut_rtf_the_beginning_is_read(room: Room) -> None:
    found = await read(room, samples.RTF[:160], "text/rtf")
    assert "The mill opens" in found.segments[0].text


async def test_entities_are_not_followed(room: Room) -> None:
    """Neither to other files nor into each other."""
    bomb = '<!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;"><!ENTITY c SYSTEM "/etc/passwd">]>'
    content = samples.zipped(
        {
            "content.xml": f'{bomb}<a xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0">'
            "<text:p>x&b;&c;y</text:p></a>".encode()
        }
    )
    found = await read(room, content, ODT)
    assert "root" not in str(found.segments)
    assert "aaaa" not in str(found.segments)


async def test_a_locked_text_says_so(room: Room) -> None:
    locked = samples.open_document("text", "", locked=True)
    assert "password" in await unreadable(room, locked, ODT)


@pytest.mark.parametrize("data", [TEXT, samples.book("The mill opens")])
async def test_they_are_taken_for_what_they_are(intake: Intake, data: bytes) -> None:
    """From the upload to the text that can be searched."""
    file = await intake.take(data, "document")
    assert "mill" in str(await intake.pieces(file))
