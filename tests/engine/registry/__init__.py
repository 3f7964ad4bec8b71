"""Tests of the registry client, against a registry of our own that can misbehave."""
