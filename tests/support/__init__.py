"""Helpers that several test packages use, each in one copy.

builders: rows, files, records, uploads. import_runs: imports and dry runs of bytes.
databases: temporary databases and roles. table_contents: rows, row versions, waits.
servers/: servers and proxies that fail on demand. world/: the function in its environment.
function/: AWS resources and settings of handler tests. terminal: runs CLI commands.
reports/: HTML reports. sam_template: template.yaml. paths: folders.
earlier_system: the tables of the Django application that the importer replaces.
"""
