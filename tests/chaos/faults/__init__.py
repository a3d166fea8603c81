"""Injected faults, each at the moments where it matters; `make faults`.

`fault.py` says what a fault consists of, `catalogue/` lists all of them by topic,
`injectors/` causes them, `test_faults.py` runs them.
"""
