"""Runs code of users and models in a sandbox."""
