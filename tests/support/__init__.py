"""What several rooms' tests need: a registry, certificates."""
