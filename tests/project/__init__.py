"""Tests of the docs, the template, the build and the benchmarks."""
