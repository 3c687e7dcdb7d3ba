"""The tools that Kari brings, put together."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from servers.runtime.settings import secret_from_environment
from servers.tool_integration.built_in.calculator import CALCULATOR
from servers.tool_integration.built_in.clock import Clock, utc_now
from servers.tool_integration.built_in.code import CodeRun
from servers.tool_integration.built_in.conversations import ConversationSearch
from servers.tool_integration.built_in.fetch import Fetch
from servers.tool_integration.built_in.file_read import FileRead
from servers.tool_integration.built_in.given_files import GivenFiles
from servers.tool_integration.built_in.memories import MemorySearch
from servers.tool_integration.built_in.search import Search
from servers.tool_integration.built_in.times import Times
from servers.tool_integration.built_in.units import UNITS
from servers.tool_integration.configuration import Configuration, SearchEntry
from servers.tool_integration.configuration_file import ConfigurationError
from servers.tool_integration.tool import Offer

if TYPE_CHECKING:
    from kari.code_execution.v1.code_execution_pb2_grpc import CodeExecutionServiceAsyncStub
    from kari.conversation_search.v1.conversation_search_pb2_grpc import (
        ConversationSearchServiceAsyncStub,
    )
    from kari.file_attachment.v1.file_attachment_pb2_grpc import FileAttachmentServiceAsyncStub
    from kari.memory_processor.v1.memory_processor_pb2_grpc import MemoryProcessorServiceAsyncStub


@dataclass(frozen=True)
class Peers:
    """The servers that tools of Kari's own ask."""

    conversations: "ConversationSearchServiceAsyncStub"
    memories: "MemoryProcessorServiceAsyncStub"
    code: "CodeExecutionServiceAsyncStub"
    files: "FileAttachmentServiceAsyncStub"


class BuiltIn:
    """A source: there from the start to the end."""

    def __init__(self, configuration: Configuration, peers: Peers, clock: Clock = utc_now) -> None:
        """ConfigurationError if the variable with the search engine's key is not set."""
        self._fetch = Fetch(configuration.fetch)
        self._search = Search(configuration.search, _key(configuration.search))
        self._offers = (
            Times(clock).offer(),
            CALCULATOR,
            UNITS,
            ConversationSearch(peers.conversations).offer(),
            MemorySearch(peers.memories).offer(),
            FileRead(peers.conversations).offer(),
            self._fetch.offer(),
            self._search.offer(),
            CodeRun(peers.code, GivenFiles(peers.files)).offer(),
        )

    async def offers(self) -> Sequence[Offer]:
        """All of them."""
        return self._offers

    async def settle(self, tool_id: str) -> None:
        """It knows its tools from the start."""

    def unknown(self, tool_id: str) -> str:
        """It knows its tools from the start."""
        return ""

    async def close(self) -> None:
        """Closes connections to the web."""
        await self._fetch.close()
        await self._search.close()


def _key(entry: SearchEntry) -> str:
    if entry.key_env is None:
        return ""
    key = secret_from_environment(entry.key_env)
    if key is None:
        raise ConfigurationError(
            f"search.key_env: the variable {entry.key_env} is not set; "
            "set it, or remove key_env if the search engine needs no key"
        )
    return key
