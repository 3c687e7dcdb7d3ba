"""The mesh as data, in the order a turn travels. Standard library only.

`calls` are the arrows: there are no others, and a test follows each of them. `stores` are what a
server keeps its data in. A server's port is the first port of the mesh plus `port`.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Node:
    """One part of the mesh."""

    name: str
    port: int
    calls: tuple[str, ...] = ()
    stores: tuple[str, ...] = ()
    calls_back: tuple[str, ...] = ()
    """Those of `calls` that lead back to a caller: they close the mesh's one circle."""


GATEWAY = Node("gateway", port=-1, calls=("chat_hub", "identity"), stores=("redis",))

SERVERS = (
    Node(
        "chat_hub",
        port=0,
        calls=(
            "instruction_processor",
            "chat_orchestrator",
            "stream_processor",
            "conversation_manager",
            "conversation_search",
            "hook_enabled_file",
        ),
        stores=("redis",),
    ),
    Node(
        "instruction_processor",
        port=1,
        calls=(
            "conversation_manager",
            "chat_orchestrator",
            "model_factory",
            "conversation_search",
        ),
    ),
    Node(
        "context_integrator",
        port=2,
        calls=("memory_processor", "production_memory", "conversation_search"),
    ),
    Node("memory_processor", port=3, calls=("production_memory",), stores=("redis", "milvus")),
    Node(
        "production_memory",
        port=4,
        calls=("model_factory",),
        stores=("postgres", "milvus", "redis"),
    ),
    Node(
        "chat_orchestrator",
        port=5,
        calls=(
            "conversation_manager",
            "context_integrator",
            "production_memory",
            "model_factory",
            "tool_integration",
            "multimedia",
            "stream_processor",
            "audit",
        ),
    ),
    Node("model_factory", port=6),
    Node(
        "tool_integration",
        port=13,
        calls=(
            "code_execution",
            "file_attachment",
            "capsules",
            "memory_processor",
            "conversation_search",
            "audit",
        ),
        stores=("redis",),
    ),
    Node("code_execution", port=14, calls=("audit",)),
    Node("file_attachment", port=16, calls=("audit",), stores=("postgres",)),
    Node(
        "hook_enabled_file",
        port=17,
        calls=(
            "file_attachment",
            "multimedia",
            "summarizer",
            "production_memory",
            "capsules",
            "audit",
        ),
    ),
    Node("multimedia", port=18, calls=("file_attachment", "model_factory")),
    Node("stream_processor", port=7, stores=("redis",)),
    Node(
        "conversation_manager",
        port=8,
        calls=("production_memory", "audit"),
        stores=("postgres",),
    ),
    Node(
        "conversation_search",
        port=10,
        calls=("production_memory",),
        stores=("postgres", "milvus"),
    ),
    Node("summarizer", port=11, calls=("production_memory", "model_factory")),
    Node(
        "capsules",
        port=15,
        calls=(
            "model_factory",
            "memory_processor",
            "conversation_search",
            "conversation_manager",
            "tool_integration",
            "audit",
        ),
        stores=("postgres",),
        calls_back=("tool_integration",),
    ),
    Node("identity", port=9, calls=("audit",), stores=("postgres", "redis")),
    Node("audit", port=12, stores=("postgres",)),
)

NODES = {node.name: node for node in (GATEWAY, *SERVERS)}


def callers_of(name: str) -> frozenset[str]:
    """Names of those whom the arrows let call `name`."""
    return frozenset(node.name for node in NODES.values() if name in node.calls)


def port_of(name: str, first: int, *, spread: bool) -> int:
    """Port of a server, where the mesh begins at port `first`."""
    return first + NODES[name].port if spread else first


def package_of(name: str) -> str:
    """Package of a server's contract, such as `kari.chat_hub.v1`."""
    return f"kari.{name}.v1"


def service_of(name: str) -> str:
    """Full name of a server's service, such as `kari.chat_hub.v1.ChatHubService`."""
    return f"{package_of(name)}.{name.title().replace('_', '')}Service"


def waves() -> list[list[str]]:
    """The servers by wave: each calls only servers of waves before its own, but for the calls
    back."""
    left, found = list(SERVERS), list[list[str]]()
    while left:
        names = {node.name for node in left}
        wave = [node.name for node in left if not names & (set(node.calls) - set(node.calls_back))]
        if not wave:
            raise ValueError(f"the arrows go in a circle: {sorted(names)}")
        found.append(wave)
        left = [node for node in left if node.name not in wave]
    return found
