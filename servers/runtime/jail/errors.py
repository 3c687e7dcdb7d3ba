"""What keeps a jail from being made."""


class NoJail(Exception):
    """There can be no jail here. The message says why, and the way out."""
