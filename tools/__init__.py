"""Scripts of the Makefile's targets; neither shipped nor tests."""
