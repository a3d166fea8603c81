"""The function and the command line with a second S3 implementation; `make s3`.

Moto and our own server imitate S3 as we read its documentation.  SeaweedFS was written by
others, so it shows where that reading is too narrow.
"""
