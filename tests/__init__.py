"""Tests of Pilothouse: they mirror engine/ and tui/."""
