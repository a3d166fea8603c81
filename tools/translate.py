"""Apply the SAM transform to template.yaml, and write the CloudFormation template.

Works offline, without credentials or an AWS account.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# The translator gets the AWS partition from boto3's region.
os.environ.setdefault("AWS_DEFAULT_REGION", "eu-central-1")

from samcli.yamlhelper import yaml_parse
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator


def translate(template: Path, values: Mapping[str, str]) -> dict[str, Any]:
    """Transform a template.

    Args:
        template: path of the file.
        values: of parameters; the transform reads some of them.
    """
    source = yaml_parse(template.read_text(encoding="utf-8"))
    # The transform accepts only code in S3; any URI will do.
    for resource in source["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = "s3://bucket/key"
    # Empty: the template uses no managed policies of AWS.
    translator = Translator({}, Parser())
    translated: dict[str, Any] = translator.translate(source, dict(values))
    translator.metrics.publish()  # to nowhere; otherwise it warns that they are unpublished
    return translated


def main(template: Path, out: Path) -> None:
    """Transform `template`, and write the result to `out` as JSON."""
    translated = translate(template, {})
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps(translated, indent=2, default=str), encoding="utf-8")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
