"""Capsules that belong to Kari: a folder each, with capsule.toml, handler.py and prompts."""
