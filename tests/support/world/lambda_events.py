"""The event with which Lambda delivers a message of the upload queue."""

from __future__ import annotations

import json
import uuid
from typing import Any

from salespro_cli.sandbox.local_aws import REGION
from tests.support.world.uploads import TrackedUpload


def sqs_event_for(upload: TrackedUpload) -> dict[str, Any]:
    """Return an SQS event with one message: the S3 notification of this upload."""
    return {
        "Records": [
            {
                "messageId": str(uuid.uuid4()),
                "receiptHandle": "receipt",
                "body": json.dumps(s3_event_for(upload)),
                "attributes": {"ApproximateReceiveCount": str(upload.deliveries)},
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:{REGION}:123456789012:uploads",
                "awsRegion": REGION,
            }
        ]
    }


def s3_event_for(upload: TrackedUpload) -> dict[str, Any]:
    """Return the S3 event with the notification of this upload."""
    pin = {"versionId" if upload.is_versioned else "eTag": upload.version}
    notification = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": REGION,
        "eventTime": "2025-06-18T06:00:00.000Z",
        "eventName": "ObjectCreated:Put",
        "s3": {
            "s3SchemaVersion": "1.0",
            "bucket": {"name": upload.bucket, "arn": f"arn:aws:s3:::{upload.bucket}"},
            "object": {"key": upload.key, **pin},
        },
    }
    return {"Records": [notification]}
