"""Imports in processes that are killed, frozen, stopped and raced; `make crashes`."""
