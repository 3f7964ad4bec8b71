"""What the dashboard does with images: layers and their files, why a pull failed, logins, replacing a container."""
