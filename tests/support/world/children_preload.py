"""What the server of `children` has done before it forks the first one."""

import boto3

from tests.support.world import children  # noqa: F401 -- and with it all that a child needs

# Reads the descriptions of the services, which takes longer than an import of a file.
boto3.client("s3")
boto3.client("sqs")
