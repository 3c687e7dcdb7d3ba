"""What is said of a file, put together. Pure."""

from kari.conversation_models.v1.file_pb2 import Anchor, TextChunk
from kari.multimedia.v1.multimedia_pb2 import Description
from servers.multimedia.said import Facts, LeftOut, Passage, Value
from servers.runtime.durations import duration


class Gathered:
    """Facts, passages and what was left out, in whatever order they come."""

    def __init__(self) -> None:
        self._facts: dict[str, Value] = {}
        self._passages: list[Passage] = []
        self._left_out: dict[str, None] = {}
        self.no_caption_because = ""
        self.caption_later = False

    @property
    def knows_nothing(self) -> bool:
        """Whether nothing is known yet."""
        return not self._facts and not self._passages

    def add(self, said: Facts | Passage | LeftOut) -> None:
        """Takes what is said."""
        match said:
            case Facts(values):
                self._facts |= values
            case Passage():
                self._passages.append(said)
            case LeftOut(sentence):
                self._left_out[sentence] = None

    def description(self) -> Description:
        """All of it: passages by page and time."""
        ordered = sorted(self._passages, key=lambda passage: (passage.page, passage.seconds))
        described = Description(
            chunks=[_chunk(index, passage) for index, passage in enumerate(ordered)],
            warnings=list(self._left_out),
            no_caption_because=self.no_caption_because,
            caption_later=self.caption_later,
        )
        described.metadata.update(self._facts)
        return described


def _chunk(index: int, passage: Passage) -> TextChunk:
    place = Anchor(page=passage.page) if passage.page else Anchor(time=duration(passage.seconds))
    return TextChunk(index=index, text=passage.text, anchor=place)
