"""The commands of `salespro`, one module each.

In: parsed arguments; out: printed text or JSON, and an exit code.
May import: all of `salespro_cli`, except `main`.
Start at `import_.py`.
"""
