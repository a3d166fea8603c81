"""What the importer costs, measured: `make bench` and its sisters write docs/performance.md."""
