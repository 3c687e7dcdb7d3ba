"""The one way to a tool: known, role, limit, schema, policy; then it runs, and is audited."""
