"""The processes of a container as a live tree."""
