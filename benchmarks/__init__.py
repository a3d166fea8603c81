"""Benchmarks: each module here is a `make` target that writes its section of a page.

The page is docs/performance.md.  `harness` measures, and `loaders` holds what is compared.
"""
