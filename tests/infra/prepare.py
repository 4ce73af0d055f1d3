#!/usr/bin/env python3
"""Gives a copy of infra/live/example what a user would: zips, secrets, an issuer; and names the emulator's credentials.

    prepare.py FOLDER
"""

import json
import pathlib
import sys
import zipfile

import boto3

FUNCTIONS = ("indexer", "sealer", "certifier", "bundler", "console")
OVERRIDE = """provider "aws" {
  s3_use_path_style           = true
  skip_credentials_validation = true
  skip_metadata_api_check     = true
}
"""


def stand_in(path):
    """A zip with a `bootstrap` that ends at once. The same bytes each time, for Terraform compares digests."""
    with zipfile.ZipFile(path, "w") as file:
        entry = zipfile.ZipInfo("bootstrap", (2026, 1, 1, 0, 0, 0))
        entry.external_attr = 0o755 << 16
        file.writestr(entry, "#!/bin/sh\nexit 1\n")


def main():
    example = pathlib.Path(sys.argv[1])
    zips = example / "zips"
    zips.mkdir()
    for function in FUNCTIONS:
        stand_in(zips / f"{function}.zip")
    secrets = boto3.client("secretsmanager", region_name="us-east-1")
    tls = secrets.create_secret(Name="relay-tls", SecretString=json.dumps({"certificate": "", "key": "", "ca": ""}))
    clinic = secrets.create_secret(Name="clinic", SecretString=json.dumps({"username": "relay", "password": "x"}))
    variables = {
        "lambdas": str(zips),
        "image": "registry.example/affidavit-relay@sha256:" + "0" * 64,
        "tls_secret_arn": tls["ARN"],
        "database": {"host": "db.example", "name": "clinic", "user": "relay", "secret_arn": clinic["ARN"]},
        "issuers": [{"issuer": "https://issuer.example", "audience": "affidavit"}],
        "oidc": {"issuer": "https://issuer.example", "client_id": "affidavit-console"},
        # With one day a retention that is a day too short is none at all.
        "retain_days": 3,
    }
    (example / "emulated.auto.tfvars.json").write_text(json.dumps(variables), encoding="utf-8")
    (example / "emulator_override.tf").write_text(OVERRIDE, encoding="utf-8")


if __name__ == "__main__":
    main()
