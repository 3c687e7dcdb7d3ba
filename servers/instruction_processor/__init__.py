"""Commands: parsed, checked against roles, applied through the conversation manager."""
