"""A provider that does what tests tell it, on loopback, in the real wire formats."""
