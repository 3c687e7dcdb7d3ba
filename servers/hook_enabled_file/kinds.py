"""Media types by what reads them. Pure."""

PDF = "application/pdf"
WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
SLIDES = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
OLD_OFFICE = frozenset(
    {"application/msword", "application/vnd.ms-excel", "application/vnd.ms-powerpoint"}
)
STRIPPED = frozenset(
    {"image/jpeg", "image/png", "image/webp", "image/tiff", PDF, WORD, SHEET, SLIDES}
)
"""Types from which metadata can be taken out."""
OFFICE = frozenset({WORD, SHEET, SLIDES}) | OLD_OFFICE
OPEN_DOCUMENTS = frozenset(
    f"application/vnd.oasis.opendocument.{kind}" for kind in ("text", "spreadsheet", "presentation")
)
EPUB = "application/epub+zip"
RTF = frozenset({"text/rtf", "application/rtf"})
HTML = frozenset({"text/html", "application/xhtml+xml"})
MAIL = frozenset({"message/rfc822"})
PLAIN = frozenset(
    {
        *("application/json", "application/xml", "application/javascript", "application/yaml"),
        *("application/toml", "application/sql", "application/x-yaml", "application/x-sh"),
        *("application/typescript", "application/x-ndjson", "application/x-php"),
        *("application/x-ruby", "application/x-perl", "application/x-python", "image/svg+xml"),
        *("application/x-tex", "application/graphql", "application/x-subrip"),
    }
)
"""Texts that do not say so in their type."""
MEDIA = ("image/", "audio/", "video/")


def reads_document(content_type: str) -> bool:
    """Whether such files are documents whose text is read here."""
    return (
        content_type in {PDF, EPUB}
        or content_type.startswith("text/")
        or content_type in OFFICE | OPEN_DOCUMENTS | RTF | HTML | MAIL | PLAIN
    )


def reads_media(content_type: str) -> bool:
    """Whether such files are pictures or recordings."""
    return content_type.startswith(MEDIA) and content_type not in PLAIN
