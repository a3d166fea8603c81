"""Plain values that every other package may use.

In: nothing; out: `Upload`, `Outcome`, `Counts`, `Record`, `Reject`, `FileSummary`.
May import: `errors`.
Start at `outcome.py`.
"""
