"""Looking through bytes with YARA rules. Runs in a job; the zygote compiles the carried rules once.

yara-x matches regular expressions without backtracking: the time is linear in what is looked
through, whatever the rules.
"""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import yara_x

from servers.runtime.limited.failures import Unreadable
from servers.runtime.limited.job import JobFile

RULES = Path(__file__).parents[1] / "rules"
WINDOW = 32 * 1024 * 1024
OVERLAP = 64 * 1024
"""What is seen twice where two windows meet: longer than what any rule looks for."""
HEAD = 64 * 1024
PDF_MARK_WITHIN = 1024
BLANKS = b" \t\r\n"
DOCUMENTS = frozenset(
    {
        *("pdf", "doc", "docx", "xls", "xlsx", "ppt", "pptx", "rtf", "txt", "md", "csv"),
        *("odt", "ods", "odp", "jpg", "jpeg", "png", "gif", "webp", "bmp", "tif", "tiff"),
        *("svg", "heic", "mp3", "m4a", "wav", "ogg", "flac", "mp4", "mov", "avi", "mkv"),
        *("webm", "html", "htm", "eml", "json", "xml"),
    }
)


def scan(file: JobFile, request: bytes) -> Iterator[bytes]:
    """One piece a rule that matches: JSON with `rule` and `reason`. `request` is JSON: `name` of
    the file, `rules` further rules as text, `carried` names of the sets that come along."""
    asked = json.loads(request)
    found = dict[str, str]()
    scanners = [yara_x.Scanner(carried(name)) for name in asked.get("carried", ())]
    if own := asked.get("rules"):
        scanners.append(yara_x.Scanner(compiled(own)))
    head = file.read_at(0, HEAD)
    for scanner in scanners:
        tell(scanner, head, asked.get("name", ""))
    for window in windows(file, head):
        for scanner in scanners:
            found |= matches(scanner, window)
    for rule, reason in found.items():
        yield json.dumps({"rule": rule, "reason": reason}).encode()


def windows(file: JobFile, head: bytes) -> Iterator[bytes]:
    """The bytes of a file, a window at a time; each begins within the one before. All but the first
    have the head of the file before them: rules look there for what it is. Unreadable if the file
    ends before its end."""
    at = 0
    while at < file.size:
        start = max(0, at - OVERLAP)
        data = bytearray()
        while len(data) < WINDOW and (more := file.read_at(start + len(data), 1024 * 1024)):
            data += more
        if start + len(data) <= at:
            raise Unreadable("the file ends before its end")
        yield bytes(data) if start == 0 else head + data
        at = start + len(data)


def tell(scanner: yara_x.Scanner, head: bytes, name: str) -> None:
    """Tells rules what the file is whose bytes come next: from its head and its name."""
    for fact, holds in facts_of(head, name).items():
        scanner.set_global(fact, holds)


def facts_of(head: bytes, name: str) -> dict[str, bool]:
    """What rules are told of a file, whichever part of it they see."""
    return {
        "document_name": named_as_document(name),
        "is_pdf": is_pdf(head),
        "is_rtf": head.lstrip(BLANKS)[:4] == b"{\\rt",
        "is_ole": head[:4] == b"\xd0\xcf\x11\xe0",
        "is_zip": head[:4] == b"PK\x03\x04",
        "is_picture": head.startswith((b"\x89PNG", b"\xff\xd8", b"GIF8")),
    }


def is_pdf(head: bytes) -> bool:
    """Whether readers take it for a PDF: they look for its mark in the first 1,024 bytes."""
    return b"%PDF-" in head[: PDF_MARK_WITHIN + 5]


def matches(scanner: yara_x.Scanner, data: bytes) -> dict[str, str]:
    """Rules that match, with their reasons."""
    return {
        rule.identifier: str(dict(rule.metadata).get("reason", f"it matches {rule.identifier}"))
        for rule in scanner.scan(data).matching_rules
    }


def named_as_document(name: str) -> bool:
    """Whether a name ends like that of a document, a picture or a recording."""
    return name.rpartition(".")[2].lower() in DOCUMENTS


@cache
def carried(name: str) -> yara_x.Rules:
    """The rules of a file that comes along."""
    return compiled((RULES / f"{name}.yar").read_text())


def compiled(source: str) -> yara_x.Rules:
    """Rules ready to match; yara_x.CompileError if they are none."""
    compiler = yara_x.Compiler()
    for fact in facts_of(b"", ""):
        compiler.define_global(fact, False)
    compiler.add_source(source)
    return compiler.build()


# In the zygote: no job has to do it again.
carried("scan")
carried("active")
