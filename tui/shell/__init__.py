"""A terminal inside the dashboard: a shell in a container, or its main process."""
