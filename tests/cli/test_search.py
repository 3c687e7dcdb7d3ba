"""How `kari search` shows what was found."""

from google.protobuf.duration_pb2 import Duration

from cli.search import marked, place, without
from kari.conversation_models.v1.degradation_pb2 import Degradation, Feature
from kari.conversation_models.v1.file_pb2 import Anchor, SheetRow
from kari.conversation_models.v1.search_pb2 import Highlight

MEANING = Degradation(feature=Feature.FEATURE_SEMANTIC_RECALL, cause="milvus")
OTHER = Degradation(feature=Feature.FEATURE_FAN_OUT, cause="redis")


def bold(content: str, *places: tuple[int, int]) -> list[str]:
    highlights = [Highlight(start=start, end=end) for start, end in places]
    text = marked(content, highlights)
    return [text.plain[span.start : span.end] for span in text.spans]


def test_the_words_are_marked_where_they_stand() -> None:
    """In characters, however many bytes each of them has."""
    assert bold("🎈 the Zeppelin, der Zeppelin", (6, 14), (20, 28)) == ["Zeppelin", "Zeppelin"]


def test_a_text_cannot_move_the_cursor_or_colour_the_terminal() -> None:
    """Nor shift what is marked; what looks like markup stays text."""
    hostile = "\x1b[31mred\x9b2J\r\x07 [bold]word[/bold]\nnext"
    text = marked(hostile, [])
    assert text.plain == "\ufffd[31mred\ufffd2J \ufffd [bold]word[/bold]\nnext"
    at = hostile.index("word")
    assert bold(hostile, (at, at + 4)) == ["word"]


def test_it_is_said_when_words_alone_decided() -> None:
    """And what else was missing."""
    assert without([]) == ""
    assert without([MEANING]) == "words alone decided: done without semantic recall (milvus)"
    assert without([OTHER]) == "done without: fan out (redis)"


def test_the_place_in_a_file_is_told() -> None:
    row = Anchor(row=SheetRow(sheet="Costs", row=7))
    assert [place(each) for each in (Anchor(page=3), Anchor(line=9), row, Anchor())] == [
        "page 3",
        "line 9",
        "sheet Costs, row 7",
        "",
    ]
    assert place(Anchor(time=Duration(seconds=65, nanos=500_000_000))) == "at 0:01:05"
