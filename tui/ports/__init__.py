"""What is known of ports, when to look again, and how it is told in words."""
