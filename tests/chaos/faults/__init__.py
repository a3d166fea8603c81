"""Every fault at its moments; `make faults`."""
