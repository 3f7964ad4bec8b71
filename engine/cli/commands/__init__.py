"""One subcommand, one module: `COMMAND` says what it takes, `run(args)` does it and returns the exit code."""
