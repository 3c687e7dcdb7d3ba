"""Rolling and episodic summaries in one fixed format."""
