"""Steps that bring bytes: what is read as one, and that nothing else is."""

import random

import pytest
from google.protobuf.message import Message

from kari.chat_hub.v1.chat_hub_pb2 import UploadFileEnd, UploadFileRequest, UploadFileStart
from kari.file_attachment.v1 import file_attachment_pb2 as kept
from kari.hook_enabled_file.v1 import hook_enabled_file_pb2 as hooks
from servers.runtime.chunk import FIELD, SMALL_BYTES, Chunk, Gathered, reading, writing

STEPS = (UploadFileRequest, hooks.UploadRequest, kept.UploadRequest)
read = reading(UploadFileRequest.FromString)
write = writing(UploadFileRequest.SerializeToString)


@pytest.mark.parametrize("kind", STEPS)
def test_every_contract_has_its_bytes_in_the_same_field(kind: type[Message]) -> None:
    assert kind.DESCRIPTOR.fields_by_name["data"].number == FIELD
    assert kind.DESCRIPTOR.fields_by_name["data"].containing_oneof.name == "step"


@pytest.mark.parametrize("size", [0, 1, 127, 128, 16_383, 16_384, 2_097_152])
def test_a_chunk_is_what_protobuf_writes(size: int) -> None:
    """Any server reads it, one that knows of no chunks as well."""
    data = random.Random(size).randbytes(size)
    chunk = Chunk.of([data[: size // 3], memoryview(data)[size // 3 :]])
    assert chunk.message == UploadFileRequest(data=data).SerializeToString()
    assert read(chunk.message).data == data
    assert write(read(chunk.message)) == chunk.message


@pytest.mark.parametrize(
    "step",
    [UploadFileRequest(start=UploadFileStart(name="a")), UploadFileRequest(end=UploadFileEnd())],
)
def test_other_steps_are_messages(step: UploadFileRequest) -> None:
    assert read(step.SerializeToString()) == step
    assert write(step) == step.SerializeToString()


def test_what_is_beside_bytes_does_not_go_on_with_them() -> None:
    """A field that this contract does not have may mean something further on; so may a step that
    takes the place of the bytes."""
    data = UploadFileRequest(data=b"bytes").SerializeToString()
    assert read(data + b"\x78\x01").message == data
    assert read(b"\x78\x01" + data).message == data
    end = UploadFileRequest(end=UploadFileEnd(discard=True))
    assert read(data + end.SerializeToString()) == end


def test_a_size_may_be_written_long() -> None:
    """Protobuf reads it too."""
    assert read(b"\x12\x83\x80\x00abc").data == b"abc"


def test_rubbish_is_read_as_protobuf_reads_it() -> None:
    """Two thousand mutants of a step: the same bytes, the same message or the same refusal."""
    chance = random.Random(8)
    for _ in range(2000):
        mutant = bytearray(UploadFileRequest(data=chance.randbytes(200)).SerializeToString())
        for _ in range(chance.randrange(1, 4)):
            mutant[chance.randrange(4)] = chance.randrange(256)
        try:
            expected = UploadFileRequest.FromString(bytes(mutant))
        except Exception as error:  # noqa: BLE001  # whatever it is, it is the same
            with pytest.raises(type(error)):
                read(bytes(mutant))
            continue
        found = read(bytes(mutant))
        if isinstance(found, Chunk):
            assert expected.data == found.data
            assert expected.WhichOneof("step") == "data"
        else:
            assert found == expected


def test_pieces_are_gathered_in_their_order() -> None:
    """Small ones take no more than their bytes."""
    chance, gathered, whole = random.Random(3), Gathered(), b""
    for _ in range(300):
        piece = chance.randbytes(chance.choice((0, 1, 2, 500, SMALL_BYTES, 3 * SMALL_BYTES)))
        gathered.add(memoryview(piece))
        whole += piece
    assert gathered.size == len(whole)
    assert gathered.first(1000) == whole[:1000]
    pieces = gathered.take()
    assert b"".join(pieces) == whole
    small = [each for each in pieces if isinstance(each, bytearray)]
    assert len(small) <= len(pieces) - len(small) + 1
    assert (gathered.size, gathered.take()) == (0, [])
