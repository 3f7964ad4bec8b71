"""The container engine: pulls images, runs containers, follows their logs; usable without any UI."""

__version__ = "0.1.0"
