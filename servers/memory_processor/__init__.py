"""Candidate memories for a context, from every kind of memory; reads only."""
