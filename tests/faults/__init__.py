"""What may break around the function: how it is broken, and what has to come of it."""
