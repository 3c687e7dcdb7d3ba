"""The one truth about conversations: configuration, participants, pins, snapshots, log."""
