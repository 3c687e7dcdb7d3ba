"""Searches go through the hub as they are."""

import grpc
import pytest

from kari.chat_hub.v1 import chat_hub_pb2 as pb
from kari.conversation_models.v1.degradation_pb2 import Degradation, Feature
from kari.conversation_models.v1.message_pb2 import MessageRole
from kari.conversation_models.v1.search_pb2 import (
    FileResult,
    SearchFilter,
    SearchResult,
    SearchWay,
    SummaryResult,
)
from kari.conversation_models.v1.summary_pb2 import ConversationSummary
from kari.conversation_search.v1.conversation_search_pb2 import SearchRequest, SearchResponse
from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.errors import NotFound, envelope_of
from servers.runtime.ids import new_id
from tests.chat_hub.conftest import House


async def test_a_search_is_passed_on_with_all_that_limits_it(house: House) -> None:
    wanted = {
        "query": "bears",
        "filter": SearchFilter(
            conversation_id=house.conversation.id, roles=[MessageRole.MESSAGE_ROLE_USER]
        ),
        "way": SearchWay.SEARCH_WAY_FULL_TEXT,
        "page_size": 7,
        "page_token": "there",
    }
    await house.stub.Search(pb.SearchRequest(**wanted))
    assert house.search.requests == [SearchRequest(**wanted)]


async def test_what_is_found_comes_back_with_what_was_missing(house: House) -> None:
    answer = {
        "results": [SearchResult(message_id=new_id("msg"), content="a bear", score=1.5)],
        "next_page_token": "here",
        "summaries": [SummaryResult(summary=ConversationSummary(summary="of bears"), score=0.5)],
        "files": [FileResult(file_id=new_id("file"), name="bears.pdf", score=0.5)],
        "degradations": [Degradation(feature=Feature.FEATURE_SEMANTIC_RECALL, cause="milvus")],
    }
    house.search.response = SearchResponse(**answer)
    assert await house.stub.Search(pb.SearchRequest(query="bear")) == pb.SearchResponse(**answer)


async def test_a_refusal_of_the_search_reaches_the_caller(house: House) -> None:
    house.search.failure = NotFound(Reason.REASON_CONVERSATION_NOT_FOUND, "no such conversation")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await house.stub.Search(pb.SearchRequest(query="bear"))
    assert refused.value.code() == grpc.StatusCode.NOT_FOUND
    assert envelope_of(refused.value).reason == Reason.REASON_CONVERSATION_NOT_FOUND


async def test_nobody_searches_without_a_role(house: House) -> None:
    with house.mesh.user(roles=frozenset()), pytest.raises(grpc.aio.AioRpcError) as refused:
        await house.stub.Search(pb.SearchRequest(query="bear"))
    assert refused.value.code() == grpc.StatusCode.PERMISSION_DENIED
    assert not house.search.requests
