"""What happens when something breaks: processes killed, machines rebooted, disks full, users and registries wrong."""
