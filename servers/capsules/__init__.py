"""Discovers capsules, contained skills, and runs them."""
