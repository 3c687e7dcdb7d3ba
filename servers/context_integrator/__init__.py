"""One deterministic prompt for a turn, and the manifest that explains it."""
