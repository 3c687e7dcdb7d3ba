"""Tools for prompts of tests, and messages about them."""

from kari.conversation_models.v1.context_pb2 import PromptMessage
from kari.conversation_models.v1.message_pb2 import MessageRole
from kari.conversation_models.v1.tool_pb2 import Tool, ToolCall

SCHEMA = '{"type":"object","properties":{"expression":{"type":"string"}}}'
CALCULATOR = Tool(id="calculator", description="Reckons.", parameters_schema=SCHEMA)
RESEARCHER = Tool(id="capsule.web_researcher", description="Researches.", parameters_schema="{}")


def call_of(number: int, tool_id: str = "calculator", arguments: str = "{}") -> ToolCall:
    """The call of that number, with an id as ours are."""
    return ToolCall(id=f"call_{number:032x}", tool_id=tool_id, arguments_json=arguments)


def wants(*calls: ToolCall, text: str = "") -> PromptMessage:
    """An assistant's message that asks for tools."""
    role = MessageRole.MESSAGE_ROLE_ASSISTANT
    return PromptMessage(role=role, content=text, tool_calls=calls)


def gave(call: ToolCall | None, content: str) -> PromptMessage:
    """The result of a call, or of one that the runtime made by itself."""
    call_id = call.id if call else ""
    role = MessageRole.MESSAGE_ROLE_TOOL
    return PromptMessage(role=role, content=content, tool_call_id=call_id)
