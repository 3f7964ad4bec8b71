"""What a container changed of its image's files, and a look into them."""
