#!/usr/bin/env python3
"""Logs in at an OpenID Connect provider as a person with a browser would: follows redirects, fills in forms.

    login.py token ISSUER CLIENT NAME      prints an ID token (authorization code with PKCE)
    login.py as NAME COMMAND…              runs a program, and wherever it asks for a login in the browser, logs in as NAME

SSL_CERT_FILE names the authority that the provider's certificate is by. No token and no code is ever logged.
"""

import base64
import hashlib
import html.parser
import http.cookiejar
import json
import re
import secrets
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request

CALLBACK = re.compile(r"http://127\.0\.0\.1(:\d+)?/callback\?")
STEPS = 12


class Form(html.parser.HTMLParser):
    """The first form of a page: where it leads, and its fields as they stand."""

    def __init__(self, page):
        super().__init__()
        self.action, self.fields = None, {}
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "form" and self.action is None:
            self.action = attributes["action"]
        if tag == "input" and attributes.get("name"):
            self.fields[attributes["name"]] = attributes.get("value") or ""


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """Redirects are looked at first: the last one leads to a program, not to a page."""

    def redirect_request(self, *_):
        return None


class Browser:
    """Cookies, and one person."""

    def __init__(self, name):
        self.name = name
        cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), cookies, NoRedirect())

    def get(self, url, fields=None):
        """Status, where it leads, body."""
        body = urllib.parse.urlencode(fields).encode() if fields is not None else None
        try:
            with self.opener.open(urllib.request.Request(url, body), timeout=30) as answer:
                return answer.status, None, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.headers.get("Location"), error.read().decode()

    def log_in(self, url):
        """From an authorization request to the redirect that ends it."""
        fields = None
        for _ in range(STEPS):
            status, location, page = self.get(url, fields)
            if location:
                url, fields = urllib.parse.urljoin(url, location), None
                if CALLBACK.match(url):
                    return url
            elif status == 200:
                form = Form(page)
                if form.action is None:
                    raise SystemExit("the provider shows a page without a form")
                answers = {"login": self.name, "password": "of no worth"}
                fields = {**form.fields, **{name: answers[name] for name in form.fields if name in answers}}
                url = urllib.parse.urljoin(url, form.action)
            else:
                raise SystemExit(f"the provider answers a login with status {status}")
        raise SystemExit("the login does not end")


def token(issuer, client, name):
    browser = Browser(name)
    discovery = json.loads(browser.get(f"{issuer}/.well-known/openid-configuration")[2])
    verifier, callback = secrets.token_urlsafe(32), "http://127.0.0.1/callback"
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    asked = {
        "response_type": "code", "client_id": client, "redirect_uri": callback, "scope": "openid profile",
        "state": secrets.token_urlsafe(16), "nonce": secrets.token_urlsafe(16),
        "code_challenge": challenge, "code_challenge_method": "S256",
    }
    end = browser.log_in(f"{discovery['authorization_endpoint']}?{urllib.parse.urlencode(asked)}")
    answer = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(end).query))
    if answer.get("state") != asked["state"] or "code" not in answer:
        raise SystemExit(f"no code came back: {answer.get('error')}")
    redeem = {"grant_type": "authorization_code", "client_id": client, "redirect_uri": callback,
              "code": answer["code"], "code_verifier": verifier}
    status, _, body = browser.get(discovery["token_endpoint"], redeem)
    if status != 200:
        raise SystemExit(f"the code was not redeemed: status {status}")
    return json.loads(body)["id_token"]


def run_as(name, command):
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr:
            link = re.fullmatch(r"\s*(https://\S+)\s*", line)
            if link:
                # Each login in a browser of its own, which remembers nobody.
                Browser(name).get(Browser(name).log_in(link[1]))
            else:
                sys.stderr.write(line)
    return process.returncode


def main():
    match sys.argv[1:]:
        case ["token", issuer, client, name]:
            print(token(issuer, client, name))
        case ["as", name, *command] if command:
            sys.exit(run_as(name, command))
        case _:
            sys.exit("usage: login.py token ISSUER CLIENT NAME | as NAME COMMAND…")


if __name__ == "__main__":
    main()
