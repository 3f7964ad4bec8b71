"""First steps: what the engine finds on this machine, something small to run, a tour in five sentences."""
