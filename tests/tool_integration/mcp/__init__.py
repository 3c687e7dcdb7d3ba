"""MCP servers as a source of tools: real ones, in processes of their own."""
