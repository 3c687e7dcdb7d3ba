"""NeuroVault: what is remembered of users and of the domain; and NeuroRecall, which only reads."""
