"""The dashboard: a front end on engine.engine, like the command line."""
