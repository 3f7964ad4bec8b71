"""Building blocks that know nothing of containers."""
