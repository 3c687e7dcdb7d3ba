"""Retrieval over past conversations: words and meaning, fused; no model writes or judges here."""
