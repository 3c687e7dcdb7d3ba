"""What runs inside limited processes: native code that reads hostile bytes, and nothing else.

Nothing of this folder is imported by a server: what they say to each other is in `said`.
"""
