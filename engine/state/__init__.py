"""What the engine remembers: the database, the event stream, the locks."""
