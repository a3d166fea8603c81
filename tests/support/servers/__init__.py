"""Real servers that a test may stop, break or delay."""
