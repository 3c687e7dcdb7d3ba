"""MCP servers that the configuration names, as a source of tools."""
