"""Ids of the tools that Kari brings. Pure."""

IDS = (
    *("time", "calculator", "units", "conversation.search", "memory.search"),
    *("file.read", "web.fetch", "web.search", "code.run"),
)
