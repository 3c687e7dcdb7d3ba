"""What every server shares. Nothing here knows a server."""
