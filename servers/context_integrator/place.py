"""Where a piece of a file stands, in words. Pure."""

from kari.conversation_models.v1.file_pb2 import Anchor

SLIDES = (".pptx", ".ppt", ".odp", ".key")
"""What has slides where others have pages, by what names end with."""


def place_of(anchor: Anchor, name: str) -> str:
    """A place such as `page 3` or `sheet Costs, row 7`; empty if none is known."""
    match anchor.WhichOneof("place"):
        case "page":
            return f"{'slide' if name.lower().endswith(SLIDES) else 'page'} {anchor.page}"
        case "time":
            return f"at {clock(anchor.time.seconds)}"
        case "row":
            return f"sheet {anchor.row.sheet}, row {anchor.row.row}"
        case "line":
            return f"line {anchor.line}"
    return ""


def clock(seconds: int) -> str:
    """A time from the beginning of a recording, such as `1:05` or `1:02:05`."""
    minutes, rest = divmod(max(0, seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
