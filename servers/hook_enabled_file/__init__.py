"""The way in for files: everything passes an ordered pipeline of hooks."""
