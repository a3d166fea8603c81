"""Values of parameters that make sense together: one deployment each, for the linters."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_ACCOUNT = "eu-central-1:123456789012"
_KEY = f"arn:aws:kms:{_ACCOUNT}:key/00000000-0000-0000-0000-000000000000"
SECRET: Final = {
    "DbSecretArn": f"arn:aws:secretsmanager:{_ACCOUNT}:secret:importer-AbCdEf"
}
IAM: Final = {
    "DbHost": "db.example.com",
    "DbName": "sales",
    "DbUser": "importer",
    "DbResourceId": "db-ABC123",
}
VPC: Final = {"SubnetIds": "subnet-0a1b2c3d", "SecurityGroupIds": "sg-0a1b2c3d"}
EXISTING: Final = {"ExistingUploadBucket": "company-uploads"}
TOPIC: Final = {
    **EXISTING,
    "UploadNotifications": "sns",
    "UploadTopicArn": f"arn:aws:sns:{_ACCOUNT}:uploads",
}
CANARY: Final = {"ReleaseType": "Canary10Percent5Minutes", "Release": "4f2a9c1"}
_ROLES = {"PermissionsBoundaryArn": "arn:aws:iam::123456789012:policy/boundary"}

COMBINATIONS: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "secret": SECRET,
        "iam-in-a-vpc": {**IAM, **VPC},
        "own-keys": {**SECRET, "KmsKeyArn": _KEY, "DbSecretKmsKeyArn": _KEY},
        "prefix-and-suffix": {
            **SECRET,
            "UploadPrefix": "salespro/",
            "UploadSuffix": "_export.csv",
        },
        "eventbridge": {**SECRET, "UploadNotifications": "eventbridge"},
        "existing-bucket": {**SECRET, **EXISTING, "UploadPrefix": "salespro/"},
        "existing-bucket-and-eventbridge": {
            **SECRET,
            **EXISTING,
            "UploadNotifications": "eventbridge",
            "UploadSuffix": ".csv.gz",
        },
        "existing-bucket-and-topic": {**SECRET, **TOPIC, "UploadPrefix": "a/b/"},
        "existing-report-bucket": {**SECRET, "ExistingReportBucket": "company-reports"},
        "region-in-names": {**SECRET, "RegionInNames": "true"},
        "arm64-and-tracing": {**SECRET, "Architecture": "arm64", "Tracing": "Active"},
        "alarm-email": {**SECRET, "AlarmEmail": "operators@example.com"},
        "canary": {**SECRET, **CANARY, **VPC},
        "linear-with-everything": {
            **SECRET,
            **TOPIC,
            **VPC,
            **_ROLES,
            "ExistingReportBucket": "company-reports",
            "DbSecretKmsKeyArn": _KEY,
            "KmsKeyArn": _KEY,
            "RegionInNames": "true",
            "Architecture": "arm64",
            "Tracing": "Active",
            "ReleaseType": "Linear10PercentEvery1Minute",
            "Release": "v1.4.0",
            "MigrateOnRelease": "true",
            "SnapStart": "PublishedVersions",
            "AlarmTopicArn": f"arn:aws:sns:{_ACCOUNT}:operators",
            "MalwareScan": "required",
            "NotifyTopicArn": f"arn:aws:sns:{_ACCOUNT}:people",
            "AlarmNoImportHours": "0",
            "ReconcileSchedule": "rate(1 day)",
        },
    }
)
