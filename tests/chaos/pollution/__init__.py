"""Polluted exports of every kind: no wrong value is stored, no neighbour is lost; `make pollution`."""
