#!/usr/bin/env python3
"""After `terraform destroy`: no bucket, table, function, queue or role of ours is left; keys wait for their deletion."""

import sys

import boto3


def client(service):
    return boto3.client(service, region_name="us-east-1")


def main():
    left = {
        "buckets": [bucket["Name"] for bucket in client("s3").list_buckets()["Buckets"]],
        "tables": client("dynamodb").list_tables()["TableNames"],
        "functions": [function["FunctionName"] for function in client("lambda").list_functions()["Functions"]],
        "queues": client("sqs").list_queues().get("QueueUrls", []),
        "roles": [role["RoleName"] for role in client("iam").list_roles()["Roles"] if role["RoleName"].startswith("affidavit-")],
    }
    kms = client("kms")
    states = [kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"] for key in kms.list_keys()["Keys"]]
    left["keys"] = [
        key["KeyId"] for key in states if key["KeyState"] != "PendingDeletion" and key.get("KeyManager") != "AWS"
    ]
    for kind, names in left.items():
        if names:
            print(f"{kind} left: {', '.join(names)}")
    sys.exit(1 if any(left.values()) else 0)


if __name__ == "__main__":
    main()
