"""Helpers that several test packages use, each in one copy.

builders: rows, files and records of both exports. databases: temporary databases, roles.
import_runs: imports and dry runs of bytes. table_contents: rows, row versions, waits.
servers/: servers and proxies that fail on demand. world/: the function in its environment.
sam_template: reads template.yaml.
"""
