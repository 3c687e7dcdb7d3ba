"""The capsules that belong to Kari."""
