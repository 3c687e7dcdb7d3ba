"""What runs inside limited processes: native code that reads hostile bytes, and nothing else.

Nothing of this folder but `said` and `wishes` is imported by a server.
"""
