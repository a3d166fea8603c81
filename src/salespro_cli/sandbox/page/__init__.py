"""The sandbox's page: uploads by drag and drop, the imports as they run, their reports.

In: HTTP requests of a browser on this machine; out: HTML, JSON and the files of reports.
May import: `salespro_core`, `salespro_cli.output`, the constants of `salespro_cli.sandbox`.
Start at `site.py`.
"""
