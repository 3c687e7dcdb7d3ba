"""The signed trail: appends what happened, and proves that nobody touched it since."""
