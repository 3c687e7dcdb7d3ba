"""The one brain: leads a turn from accepted to committed."""
