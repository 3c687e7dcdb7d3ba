"""Chooses a model, streams from it, falls back along a chain, and embeds texts."""
