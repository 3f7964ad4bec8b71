"""The programs that run inside the containers of `pilothouse demo`: standard library only, copied into their image."""
