"""Tests of the model factory."""
