"""What an operator asks of the function: migrate, check, reconcile.

In: an `{"action": …}` event; out: a JSON answer.
May import: `salespro_core` and the rest of `handler`, except `app`.
Start at `actions.py`.
"""
