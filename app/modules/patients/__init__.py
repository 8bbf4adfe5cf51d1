"""Patient records, and whose own record each is."""
