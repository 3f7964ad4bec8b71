"""Endpoints, addresses and published ports of containers, made over netlink."""
