"""`system check`."""
