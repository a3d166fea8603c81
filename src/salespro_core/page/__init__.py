"""The report as a page that people open; loaded when one is written, and not before."""
