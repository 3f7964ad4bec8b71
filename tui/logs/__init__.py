"""The log viewer: a window on logs of any size, read where they lie on disk."""
