"""What the project's targets run that is neither shipped nor a test."""
