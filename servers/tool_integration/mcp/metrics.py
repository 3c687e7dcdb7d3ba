"""What operators see of MCP servers."""

from prometheus_client import Counter, Gauge

UP = Gauge("kari_chat_mcp_server_up", "1 while an MCP server can be called.", ("server",))
TOOLS = Gauge("kari_chat_mcp_tools", "Tools of an MCP server that are offered.", ("server",))
ENDINGS = Counter(
    "kari_chat_mcp_server_endings_total",
    "Connections to MCP servers that ended or never came about, by how.",
    ("server", "how"),
)
REFUSED = Counter(
    "kari_chat_mcp_tools_refused_total",
    "Tools that were left out of the list of an MCP server.",
    ("server",),
)
