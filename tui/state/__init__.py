"""What the dashboard knows, apart from how it is shown."""
