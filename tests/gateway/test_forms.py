"""Forms: whatever comes, in whatever pieces, is a form or is none."""

import random

import pytest

from gateway.form import Event, Field, FileBegins, FileEnds, Form
from servers.runtime.errors import InvalidRequest
from tests.hook_enabled_file.fuzzing import mutants

TYPE = "multipart/form-data; boundary=edge"
WHOLE = (
    b'--edge\r\nContent-Disposition: form-data; name="conversation_id"\r\n\r\nconv_1\r\n'
    b'--edge\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n'
    b"Content-Type: text/plain\r\n\r\nsome\r\n--edg words\r\n--edge--\r\n"
)
SAID = [Field("conversation_id", "conv_1"), FileBegins("a.txt"), b"some\r\n--edg words", FileEnds()]


def events_of(data: bytes, seed: int) -> list[Event | bytes]:
    """What a form says that comes in pieces of any size; the bytes of a file together."""
    form, chance, said = Form(TYPE), random.Random(seed), list[Event | bytes]()
    while data:
        size = chance.choice((1, 2, 7, 64, 1000))
        for event in form.feed(data[:size]):
            told = bytes(event) if isinstance(event, memoryview) else event
            if isinstance(told, bytes) and said and isinstance(said[-1], bytes):
                said[-1] += told
            else:
                said.append(told)
        data = data[size:]
    return said


@pytest.mark.parametrize("seed", range(20))
def test_a_form_is_the_same_in_any_pieces(seed: int) -> None:
    assert events_of(WHOLE, seed) == SAID


def test_what_is_broken_is_told_and_nothing_worse() -> None:
    """Two thousand mutants: each is read, or refused as no form."""
    refused = 0
    for seed, mutant in enumerate(mutants(WHOLE, 2000, seed=6)):
        try:
            said = events_of(mutant, seed)
        except InvalidRequest:
            refused += 1
            continue
        assert sum(isinstance(event, FileBegins) for event in said) <= 3
    assert 0 < refused < 2000


def test_a_boundary_has_its_bound() -> None:
    with pytest.raises(InvalidRequest):
        Form(f"multipart/form-data; boundary={'x' * 5000}")


def test_a_header_without_end_is_refused() -> None:
    """It is not gathered."""
    form = Form(TYPE)
    form.feed(b"--edge\r\nContent-Disposition: ")
    with pytest.raises(InvalidRequest):
        form.feed(b"x" * 100_000)


def test_a_name_is_what_the_browser_had() -> None:
    """Three characters are escaped by the standard of HTML; no other `%` means anything."""
    form = WHOLE.replace(b"a.txt", b"%22a%22 %41 %0D%0A 100%.txt")
    (name,) = [each.name for each in events_of(form, 1) if isinstance(each, FileBegins)]
    assert name == '"a" %41 \r\n 100%.txt'
