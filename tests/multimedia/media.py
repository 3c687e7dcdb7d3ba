"""A multimedia server in the hands of a user."""

from dataclasses import dataclass

from kari.multimedia.v1 import multimedia_pb2 as contract
from kari.multimedia.v1.multimedia_pb2_grpc import MultimediaServiceStub
from servers.runtime.channels import Channels
from servers.wiring import Wiring, contract_of
from tests.file_attachment.attachment import Attachment
from tests.hosting import Somebody


@dataclass
class Told:
    """What came of a call of Describe."""

    progress: list[float]
    description: contract.Description

    @property
    def text(self) -> str:
        """All passages, one a line."""
        return "\n".join(chunk.text for chunk in self.description.chunks)

    @property
    def facts(self) -> dict[str, object]:
        """The metadata."""
        return dict(self.description.metadata)

    @property
    def no_caption_because(self) -> str:
        """Why there is no caption."""
        return self.description.no_caption_because

    @property
    def warnings(self) -> str:
        """All of them, one a line."""
        return "\n".join(self.description.warnings)


class Media:
    """Its stub as the hooks' server has it, and the files beside it."""

    def __init__(self, wiring: Wiring, somebody: Somebody) -> None:
        self.wiring = wiring
        self.somebody = somebody
        self.files = Attachment(wiring, somebody)
        channels = Channels(
            "hook_enabled_file", frozenset({"multimedia"}), wiring.address_of, wiring.mesh_key
        )
        self.stub = MultimediaServiceStub(channels.to("multimedia", contract_of("multimedia")))

    async def describe(self, data: bytes, name: str = "file", **wish: bool) -> Told:
        """Uploads a file, which stays in quarantine, and has it described."""
        file = await self.files.upload(data, name)
        return await self.told(file.id, **wish)

    async def told(self, file_id: str, **wish: object) -> Told:
        """Has a file described."""
        progress: list[float] = []
        description = None
        async for step in self.stub.Describe(contract.DescribeRequest(file_id=file_id, **wish)):
            if step.HasField("description"):
                assert description is None, "the description is the last"
                description = step.description
            else:
                progress.append(step.progress)
        assert description is not None
        return Told(progress, description)

    async def prepare(self, data: bytes, **wish: object) -> contract.PrepareImageResponse:
        """Uploads an image that the hooks let through, and has it prepared."""
        file = await self.files.ready(data)
        request = contract.PrepareImageRequest(file_id=file.id, **wish)
        response: contract.PrepareImageResponse = await self.stub.PrepareImage(request)
        return response

    async def readers(self) -> dict[str, contract.Reader]:
        """The readers by name."""
        response = await self.stub.ListReaders(contract.ListReadersRequest())
        return {reader.name: reader for reader in response.readers}
