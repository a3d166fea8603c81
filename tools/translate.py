"""Write template.yaml as CloudFormation gets it: what the SAM transform makes of it.

Offline: nothing of an account is looked up, and no credentials are needed.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

# The translator asks boto3 which partition it is in.
os.environ.setdefault("AWS_DEFAULT_REGION", "eu-central-1")

from samcli.yamlhelper import yaml_parse
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator


def main(template: Path, out: Path) -> None:
    """Translate one file into another, as JSON."""
    known = yaml_parse(template.read_text(encoding="utf-8"))
    # The transform takes code that is in S3 already; which is no matter here.
    for resource in known["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = "s3://bucket/key"
    # Of AWS' managed policies none is used, so that none has to be known.
    translated = Translator({}, Parser()).translate(known, {})
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps(translated, indent=2, default=str), encoding="utf-8")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
