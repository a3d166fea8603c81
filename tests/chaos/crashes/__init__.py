"""Kills, freezes and races; `make crashes`."""
