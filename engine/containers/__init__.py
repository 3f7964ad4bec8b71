"""Containers: what is asked for made into bundles, and their life from create to remove."""
