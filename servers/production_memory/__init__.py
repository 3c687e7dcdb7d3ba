"""The only writer of turns, messages and their embeddings: durable, in order, once."""
