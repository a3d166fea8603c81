"""Actions that an operator or a schedule starts: check, migrate, reconcile, undo.

In: an `{"action": …}` event; out: a JSON answer.
May import: `salespro_core` and the rest of `handler`, except `app`.
Start at `actions.py`.
"""
