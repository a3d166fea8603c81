"""The terminal edge: the same importer for people at a prompt."""
