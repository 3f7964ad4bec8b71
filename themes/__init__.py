"""The colours of the dashboard, one TOML file per theme; the format is described at the top of dark.toml."""
