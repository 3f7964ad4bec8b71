"""The command line: a thin front end on `Engine`, in Docker's words.

How a verb is added: a line in `verbs.py`, and a module with `COMMAND = Command(...)` (its flags, `engine.cli.flags`)
and `run(args: Arguments) -> int` (the exit code). `main.py` imports only the module of the verb that was typed.
"""
