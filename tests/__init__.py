"""Tests, in the same tree as `src`: core, handler, cli; chaos breaks what may break."""
