"""The events of turns: numbered, filtered, coalesced, journalled, replayed."""
