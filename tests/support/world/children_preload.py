"""Imports that the fork server of `children.py` makes once, before the first fork."""

import boto3

from tests.support.world import children  # noqa: F401 -- imports all that a child needs

# Creating a client reads the service descriptions, which is slower than an import.
boto3.client("s3")
boto3.client("sqs")
