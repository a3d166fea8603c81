"""Tests of `salespro_core`, package by package."""
