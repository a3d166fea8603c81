"""An example stack with the construct: `cdk deploy --app "python deploy/cdk/app.py ZIP"`."""

from __future__ import annotations

import sys

from aws_cdk import App, Stack
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from salespro_importer import SalesProImporter


def main(package: str) -> None:
    """Synthesise the stack."""
    app = App()
    stack = Stack(app, "SalesPro")
    options = {
        "block_public_access": s3.BlockPublicAccess.BLOCK_ALL,
        "enforce_ssl": True,
        "versioned": True,
    }
    SalesProImporter(
        stack,
        "Importer",
        package=package,
        uploads=s3.Bucket(stack, "Uploads", **options),
        reports=s3.Bucket(stack, "Reports", **options),
        secret=secretsmanager.Secret.from_secret_name_v2(
            stack, "Connection", "salespro-importer"
        ),
    )
    app.synth()


if __name__ == "__main__":
    main(*sys.argv[1:])
