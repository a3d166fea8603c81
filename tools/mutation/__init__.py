"""`make mutation`: change the code in small ways, and see whether the tests notice.

cosmic-ray lists the mutants and applies them; a sample of them is run.  Each mutant is applied
in a copy of the repository, where the tests of its module run against it.  A mutant is killed
if a test fails, or does not end in time.

Results are kept in `.mutation`: the next run with the same seed tries only what survived, and
what has changed since.  Start at `__main__.py`.
"""
