#!/usr/bin/env python3
"""ministack, with the condition keys that it does not know and our policies stand on, and an HTTP API that can be reached.

S3 puts tell `s3:if-none-match` and their lock, KMS calls their encryption context, algorithm and kind of message, and a
role's session has its role's ARN as `aws:PrincipalArn`, as AWS documents it. Without these keys a Deny that asks
whether one is absent would deny everything, and an Allow that asks for one nothing. Requests count as made by TLS, which
the emulator is not asked for. Nothing is evaluated here: the emulator does that, with policies and requests as they are.

An HTTP API has a host name of its own on AWS; here its name would be none that resolves. It is reached by the name
`localhost`, and everything else by 127.0.0.1.

On a busy machine a connection may break before its answer, and Terraform's SDK then repeats the request, under the same id. What
was done is told again, and not done twice: a schedule that was made would be one that exists already.
"""

import asyncio
import contextlib
import datetime
import json
import os
import re

from ministack import app
from ministack.core import iam_actions, iam_evaluator
from ministack.services import apigateway

SECONDS_A_DAY = 86_400


def days_until(text):
    """Days until a retention ends, as S3 tells them; nothing for no date."""
    try:
        until = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    left = until - datetime.datetime.now(datetime.timezone.utc)
    return str(round(left.total_seconds() / SECONDS_A_DAY))


def lock_keys(mode, until):
    keys = {}
    if mode:
        keys["s3:object-lock-mode"] = mode
    days = days_until(until) if until else None
    if days is not None:
        keys["s3:object-lock-remaining-retention-days"] = days
    return keys


def put_keys(headers):
    """Of a PutObject, from its headers."""
    keys = lock_keys(headers.get("x-amz-object-lock-mode"), headers.get("x-amz-object-lock-retain-until-date"))
    if headers.get("if-none-match"):
        keys["s3:if-none-match"] = headers["if-none-match"]
    return keys


def retention_keys(body):
    """Of a PutObjectRetention, from its body."""
    text = (body or b"").decode("utf-8", "replace")
    mode = re.search(r"<Mode>([^<]*)</Mode>", text)
    until = re.search(r"<RetainUntilDate>([^<]*)</RetainUntilDate>", text)
    return lock_keys(mode and mode[1], until and until[1])


def kms_keys(body):
    """Of a call to KMS, from its body."""
    try:
        call = json.loads(body or b"{}")
    except ValueError:
        return {}
    keys = {f"kms:EncryptionContext:{name}": value for name, value in (call.get("EncryptionContext") or {}).items()}
    for member in ("SigningAlgorithm", "MessageType", "MacAlgorithm"):
        if call.get(member):
            keys[f"kms:{member}"] = call[member]
    return keys


def extend():
    of_s3, of_request, resolve = (
        iam_actions.s3_service_context,
        iam_actions.request_tag_context,
        iam_evaluator._resolve_condition_key,
    )

    def s3_service_context(action, query, path="", headers=None):
        keys = of_s3(action, query, path, headers)
        return {**keys, **put_keys(headers or {})} if action == "s3:PutObject" else keys

    def request_tag_context(service, action, body, *rest, **named):
        keys = of_request(service, action, body, *rest, **named)
        if service == "kms":
            return {**keys, **kms_keys(body)}
        return {**keys, **retention_keys(body)} if action == "s3:PutObjectRetention" else keys

    def resolve_condition_key(key, context):
        if key.lower() == "aws:securetransport":
            return "true"
        arn = re.fullmatch(r"arn:([^:]*):sts::(\d+):assumed-role/([^/]+)/.*", context.principal_arn)
        if key.lower() == "aws:principalarn" and arn:
            return f"arn:{arn[1]}:iam::{arn[2]}:role/{arn[3]}"
        return resolve(key, context)

    iam_actions.s3_service_context = s3_service_context
    iam_actions.request_tag_context = request_tag_context
    iam_evaluator._resolve_condition_key = resolve_condition_key


def serve_api_as_localhost():
    """The API that was made last, with its stage `$default`."""
    create, parse, made = apigateway._create_api, app._parse_execute_api_url, []

    def create_api(data):
        answer = create(data)
        for id_, api in apigateway._apis.items():
            api["apiEndpoint"] = f"http://localhost:{os.environ['GATEWAY_PORT']}"
            made.append(id_)
        return answer

    def parse_execute_api_url(host, path):
        if made and host.split(":")[0] == "localhost":
            return made[-1], "$default", path
        return parse(host, path)

    apigateway._create_api = create_api
    app._parse_execute_api_url = parse_execute_api_url


def answer_repetitions():
    serve, answers = app.app, {}

    def was_done(events):
        return events and events[0].get("status", 500) < 400 and not events[-1].get("more_body", len(events) == 1)

    async def once(scope, receive, send):
        headers = dict(scope.get("headers") or [])
        id_ = headers.get(b"amz-sdk-invocation-id")
        if scope["type"] != "http" or not id_ or b"Terraform" not in headers.get(b"user-agent", b""):
            return await serve(scope, receive, send)
        if id_ in answers:
            events = await answers[id_]
            if was_done(events):
                for event in events:
                    await send(event)
                return None
        answers[id_], events = asyncio.get_running_loop().create_future(), []

        async def keep(event):
            events.append(event)
            # Whoever asked may have gone.
            with contextlib.suppress(Exception):
                await send(event)

        try:
            await serve(scope, receive, keep)
        finally:
            answers[id_].set_result(events)

    app.app = once


if __name__ == "__main__":
    extend()
    serve_api_as_localhost()
    answer_repetitions()
    app.main()
