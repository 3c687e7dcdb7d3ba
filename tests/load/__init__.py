"""Measurements, printed beside their targets. Never asserted."""
