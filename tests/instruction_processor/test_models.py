"""`/model` between a real model factory and a user who may choose some models, but not all."""

from kari.errors.v1.errors_pb2 import Reason
from tests.instruction_processor.conftest import Desk
from tests.instruction_processor.test_processing import refusal


async def test_model_lists_what_the_user_may_choose(desk: Desk) -> None:
    (result,) = (await desk.process("/model")).results
    assert "`acme/plain`" in result.text
    assert "`local/smollm2-135m`" in result.text
    assert "acme/large" not in result.text


async def test_a_role_opens_its_models(desk: Desk) -> None:
    roles = frozenset({"chat.user", "chat.config.edit", "chat.models.large"})
    with desk.mesh.user(user_id=desk.user.user_id, roles=roles):
        assert "`acme/large`" in (await desk.process("/model")).results[0].text
        await desk.process("/model acme/large")
    assert desk.conversation.model == "acme/large"


async def test_an_unknown_model_is_refused_with_the_nearest_names(desk: Desk) -> None:
    """Before anything of the text is done."""
    error = await refusal(desk.process("/title New\n/model acme/plane\nhello"))
    assert error.reason == Reason.REASON_MODEL_NOT_FOUND
    assert error.details["near"].split()[0] == "acme/plain"
    assert "did you mean `acme/plain`" in error.message
    assert "done" not in error.details
    assert not desk.conversations.updates
    assert not desk.orchestrator.started


async def test_a_model_that_is_not_permitted_is_refused_with_its_role(desk: Desk) -> None:
    error = await refusal(desk.process("/model acme/large"))
    assert error.reason == Reason.REASON_ROLE_MISSING
    assert error.details["role"] == "chat.models.large"
    assert not desk.conversations.updates


async def test_an_error_never_quotes_a_model_that_was_typed(desk: Desk) -> None:
    """Errors are logged, and arguments may be private."""
    error = await refusal(desk.process("/model secret"))
    assert "secret" not in error.message + str(error.details)


async def test_default_needs_no_model(desk: Desk) -> None:
    await desk.process("/model acme/plain")
    await desk.process("/model default")
    assert desk.conversation.model == ""


async def test_without_a_model_factory_a_name_is_refused_until_it_is_back(desk: Desk) -> None:
    """What does not need it goes on."""
    await desk.stop_models()
    error = await refusal(desk.process("/title New\n/model acme/plain"))
    assert error.reason == Reason.REASON_SERVER_UNAVAILABLE
    assert error.may_retry
    assert not desk.conversations.updates
    (listed,) = (await desk.process("/model")).results
    assert "not known at the moment" in listed.text
    await desk.process("/model default\n/title New")
    assert desk.conversation.title == "New"
