"""What stands behind each part of the `tocsin` command."""
