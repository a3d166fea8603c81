"""Tests of the byte stream of an S3 object."""
