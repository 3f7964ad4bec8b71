"""Executes a bundle: namespaces, mounts, cgroups, init, and the monitor beside it."""
