#!/usr/bin/env python3
"""What was deployed, and whoever asks it, with the credentials of a role of its.

    deployment.py OUTPUTS relay NAME     prints the environment that a relay's task has, one NAME=value a line, credentials too
    deployment.py OUTPUTS root           prints the root's public key (PEM), as an auditor gets it from KMS
    deployment.py OUTPUTS certify-keys   has the certifier certify the other keys, as its schedule has it done once a day

OUTPUTS is the file that `terraform output -json` wrote; AWS_ENDPOINT_URL says where the emulator is.
"""

import base64
import json
import os
import sys

import boto3
from botocore.config import Config

REGION = "us-east-1"


class FunctionFailed(Exception):
    """An error of a function's own, as it told it."""

    def __init__(self, function, told):
        super().__init__(f"{function}: {told}")
        self.told = told


class Session:
    """Clients with one identity's credentials."""

    def __init__(self, credentials=None):
        self.credentials = credentials or {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        self.clients = {}

    def __getattr__(self, service):
        if service not in self.clients:
            config = Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1})
            self.clients[service] = boto3.client(service, region_name=REGION, config=config, **self.credentials)
        return self.clients[service]

    def assume(self, role):
        """Only a service may take the role. For this one call its trust is widened to the account; its rights are as they are."""
        name = role.rsplit("/", 1)[-1]
        narrow = self.iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
        trust = {"Effect": "Allow", "Principal": {"AWS": role.split(":role/")[0] + ":root"}, "Action": "sts:AssumeRole"}
        self.trust(name, {"Version": "2012-10-17", "Statement": [trust]})
        got = self.sts.assume_role(RoleArn=role, RoleSessionName="tests")["Credentials"]
        self.trust(name, narrow)
        return Session({
            "aws_access_key_id": got["AccessKeyId"],
            "aws_secret_access_key": got["SecretAccessKey"],
            "aws_session_token": got["SessionToken"],
        })

    def trust(self, name, policy):
        self.iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(policy))

    def invoke(self, function, event):
        """What a function answers."""
        answer = self.__getattr__("lambda").invoke(FunctionName=function, Payload=json.dumps(event).encode())
        told = json.loads(answer["Payload"].read())
        if answer.get("FunctionError"):
            raise FunctionFailed(function, told)
        return told


class Deployment:
    """Terraform's outputs, and an administrator."""

    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            outputs = json.load(file)
        self.value = {name: output["value"] for name, output in outputs.items()}
        self.admin = Session()
        one = self.value["relay_environment"]["one"]
        self.scope = f"{one['AFFIDAVIT_TENANT']}/{one['AFFIDAVIT_ENVIRONMENT']}"

    def role(self, name):
        return self.admin.assume(self.value["roles"][name])

    def relay(self, name):
        """As ECS starts a task: what the task definition says, and the role's temporary credentials."""
        credentials = self.role(f"relay-{name}").credentials
        return {
            **self.value["relay_environment"][name],
            **{name.upper(): value for name, value in credentials.items()},
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL": os.environ["AWS_ENDPOINT_URL"],
        }

    def root(self):
        der = self.admin.kms.get_public_key(KeyId=self.value["keys"]["certificates"])["PublicKey"]
        return f"-----BEGIN PUBLIC KEY-----\n{base64.encodebytes(der).decode()}-----END PUBLIC KEY-----"

    def schedule(self, function, event):
        """Invokes a function as its schedule does."""
        return self.role("schedules").invoke(self.value["functions"][function], event)


def main():
    match sys.argv[1:]:
        case [outputs, "relay", name]:
            print("\n".join(f"{name}={value}" for name, value in Deployment(outputs).relay(name).items()))
        case [outputs, "root"]:
            print(Deployment(outputs).root())
        case [outputs, "certify-keys"]:
            Deployment(outputs).schedule("certifier", {"certify": "keys"})
        case _:
            sys.exit("usage: deployment.py OUTPUTS relay NAME | root | certify-keys")


if __name__ == "__main__":
    main()
