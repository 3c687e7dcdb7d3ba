"""Tests of `embedded`: real processes, real stores, real signals."""
