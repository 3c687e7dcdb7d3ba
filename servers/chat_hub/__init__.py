"""The front of the mesh: admits every chat event and routes it."""
