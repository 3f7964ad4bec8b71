"""The rectangles of the main screen."""
