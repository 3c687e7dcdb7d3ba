"""Validates, stores and serves files."""
