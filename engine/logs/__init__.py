"""What containers wrote: reading it back, following it, making it safe to show."""
