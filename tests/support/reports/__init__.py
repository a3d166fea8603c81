"""HTML reports for tests: outcomes of each kind, and the parsed page."""
