#!/usr/bin/env python3
"""Gives a copy of infra/live/example what a user would: zips, secrets, a database, an issuer; and names the emulator's credentials.

    prepare.py TREE ZIPS TLS ISSUER      prints two ports: where the relay will listen, and where it tells its health

TREE is the copy, ZIPS the folder with the functions' zips, TLS one with server.pem, server.key and ca.pem. The database is
the one that tests/postgres.sh tells of in the environment.
"""

import json
import os
import pathlib
import random
import socket
import sys

import boto3

# A relay of ours is no task of ECS: it has neither an address nor a folder of its own.
OVERRIDE = """provider "aws" {{
  s3_use_path_style           = true
  skip_credentials_validation = true
  skip_metadata_api_check     = true
}}

module "relay" {{
  port = {port}
}}
"""
ADDRESS, SPOOL = 'bind = "0.0.0.0:', 'spool = "/spool"'


def free_port():
    """Below the range from which systems take ports for outgoing connections (Linux: 32768)."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as listener:
            try:
                listener.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def replace(path, pairs):
    text = path.read_text(encoding="utf-8")
    for old, new in pairs.items():
        if text.count(old) != 1:
            raise SystemExit(f"{path}: expected {old} once")
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")


def secret(name, value):
    client = boto3.client("secretsmanager", region_name="us-east-1")
    return client.create_secret(Name=name, SecretString=json.dumps(value))["ARN"]


def main():
    tree, zips, tls = (pathlib.Path(path).resolve() for path in sys.argv[1:4])
    issuer, postgres = sys.argv[4], os.environ
    read = lambda path: pathlib.Path(path).read_text(encoding="utf-8")
    port, health = free_port(), free_port()
    password = read(postgres["RELAY_PASSWORD_FILE"]).strip()
    variables = {
        "lambdas": str(zips),
        "image": "registry.example/affidavit-relay@sha256:" + "0" * 64,
        "tls_secret_arn": secret("relay-tls", {
            "certificate": read(tls / "server.pem"), "key": read(tls / "server.key"), "ca": read(tls / "ca.pem")}),
        "database": {
            "host": postgres["PGHOST"], "port": int(postgres["PGPORT"]), "ca": read(postgres["PGSSLROOTCERT"]),
            "name": postgres["PGDATABASE"], "user": postgres["RELAY_USER"],
            "secret_arn": secret("clinic", {"username": postgres["RELAY_USER"], "password": password}),
        },
        "issuers": [{"issuer": issuer, "audience": "affidavit"}],
        "oidc": {"issuer": issuer, "client_id": "affidavit-console"},
        # With one day a retention that is a day too short is none at all.
        "retain_days": 3,
    }
    example = tree / "infra/live/example"
    (example / "emulated.auto.tfvars.json").write_text(json.dumps(variables), encoding="utf-8")
    (example / "emulated_override.tf").write_text(OVERRIDE.format(port=port), encoding="utf-8")
    template = tree / "infra/modules/relay/relay.toml.tftpl"
    replace(template, {ADDRESS: 'bind = "127.0.0.1:', SPOOL: f'spool = "{tree.parent}/spool"'})
    print(port, health)


if __name__ == "__main__":
    main()
