"""The tools that Kari brings."""
