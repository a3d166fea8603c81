"""The function with its two buckets in a second S3 implementation."""

from __future__ import annotations

import io
import json
import time
from typing import Any
from urllib.parse import quote_plus
from uuid import uuid4

import boto3

from handler import app
from handler.aws.s3_object import CLIENT_CONFIG
from salespro_cli.sandbox.function import Invocation
from salespro_cli.sandbox.local_aws import REGION


class SecondS3:
    """An upload bucket, a report bucket and the function.

    SeaweedFS has no notifications in the form of S3, so `notification` makes them from the
    response to the upload, with all fields that S3 sends.
    """

    def __init__(self, log: io.StringIO, *, is_versioned: bool) -> None:
        self.s3 = boto3.client("s3", config=CLIENT_CONFIG)
        self.is_versioned = is_versioned
        self.uploads, self.reports = f"up-{uuid4().hex}", f"rep-{uuid4().hex}"
        for bucket in (self.uploads, self.reports):
            self.s3.create_bucket(
                Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION}
            )
        if is_versioned:
            self.s3.put_bucket_versioning(
                Bucket=self.uploads, VersioningConfiguration={"Status": "Enabled"}
            )
        self._log = log

    def put(self, key: str, body: bytes) -> dict[str, Any]:
        """Upload an object; return its notification."""
        response: Any = self.s3.put_object(Bucket=self.uploads, Key=key, Body=body)
        assert ("VersionId" in response) is self.is_versioned
        return self.notification(key, response, len(body))

    def put_in_parts(self, key: str, body: bytes, part_bytes: int) -> dict[str, Any]:
        """Upload an object in several parts; return its notification."""
        address: Any = {"Bucket": self.uploads, "Key": key}
        upload = self.s3.create_multipart_upload(**address)["UploadId"]
        parts: Any = []
        for start in range(0, len(body), part_bytes):
            number = len(parts) + 1
            response = self.s3.upload_part(
                **address,
                UploadId=upload,
                PartNumber=number,
                Body=body[start : start + part_bytes],
            )
            parts.append({"PartNumber": number, "ETag": response["ETag"]})
        done: Any = self.s3.complete_multipart_upload(
            **address, UploadId=upload, MultipartUpload={"Parts": parts}
        )
        assert done["ETag"].strip('"').endswith(f"-{len(parts)}")
        return self.notification(key, done, len(body))

    def notification(
        self, key: str, response: dict[str, Any], size_bytes: int
    ) -> dict[str, Any]:
        """The event that S3 sends for an upload with this response."""
        object_ = {
            "key": quote_plus(key, safe="/"),
            "size": size_bytes,
            "eTag": response["ETag"].strip('"'),
            "sequencer": "0055AED6DCD90281E5",
        }
        if self.is_versioned:
            object_["versionId"] = response["VersionId"]
        record = {
            "eventSource": "aws:s3",
            "eventName": "ObjectCreated:Put",
            "s3": {"bucket": {"name": self.uploads}, "object": object_},
        }
        return {"Records": [record]}

    def deliver(self, event: dict[str, Any]) -> dict[str, Any]:
        """Invoke the function with a notification; return the fields of its import."""
        context: Any = Invocation(deadline=time.monotonic() + 120)
        [import_] = app.lambda_handler(event, context)["imports"]
        assert isinstance(import_, dict)
        return import_

    def run_action(self, **event: str) -> dict[str, Any]:
        """Invoke the function with `{"action": …}`."""
        context: Any = Invocation()
        return app.lambda_handler(event, context)

    def report_of(self, fields: dict[str, Any]) -> dict[str, Any]:
        """The content of the `report.json` of an import."""
        prefix = fields["report"].removeprefix(f"s3://{self.reports}/")
        response = self.s3.get_object(Bucket=self.reports, Key=f"{prefix}report.json")
        report: dict[str, Any] = json.loads(response["Body"].read())
        return report

    def log_messages(self) -> list[str]:
        """The messages of the function's log so far."""
        lines = [json.loads(line) for line in self._log.getvalue().splitlines()]
        return [line["message"] for line in lines if "message" in line]
