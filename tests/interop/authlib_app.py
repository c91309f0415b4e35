"""PyPI Authlib: a Flask application that logs people in, as Authlib's documentation shows it."""

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import requests
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.flask_client import OAuth
from authlib.integrations.requests_client import OAuth2Session
from flask import Flask, redirect, session, url_for

ISSUER = os.environ["INTEROP_ISSUER"]
HERE = Path(__file__).parent
HOME = "http://127.0.0.1"
METADATA = f"{ISSUER}/.well-known/openid-configuration"


def works(what):
    print(what, flush=True)


def browser(address, until):
    """Sends the person to an address; gives where the browser came to."""
    command = ["node", HERE / "person.mjs", address, until]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return done.stdout.strip()


def register():
    """Authlib's client has no registration: this is one request."""
    body = {
        "client_name": "Authlib",
        "redirect_uris": [f"{HOME}/callback"],
        "post_logout_redirect_uris": [f"{HOME}/signed-out"],
        "grant_types": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_method": "client_secret_post",
        "application_type": "native",
    }
    endpoint = requests.get(METADATA).json()["registration_endpoint"]
    answer = requests.post(endpoint, json=body, headers={"Authorization": f"Bearer {os.environ['INTEROP_TOKEN']}"})
    assert answer.status_code == 201, answer.text
    return answer.json()


registered = register()
works("dynamic registration")
app = Flask("interop")
app.secret_key = "of no consequence"
provider = OAuth(app).register(
    "deodar",
    client_id=registered["client_id"],
    client_secret=registered["client_secret"],
    server_metadata_url=METADATA,
    client_kwargs={
        "scope": "openid profile email offline_access",
        "code_challenge_method": "S256",
        "token_endpoint_auth_method": "client_secret_post",
    },
)
tokens = {}


@app.get("/login")
def login():
    return provider.authorize_redirect(url_for("callback", _external=True), prompt="consent")


@app.get("/callback")
def callback():
    tokens.update(provider.authorize_access_token())
    session["name"] = provider.userinfo(token=tokens)["preferred_username"]
    return redirect("/")


@app.get("/")
def home():
    return f"hello {session['name']}"


@app.get("/logout")
def logout():
    return provider.logout_redirect(url_for("signed_out", _external=True), id_token_hint=tokens["id_token"])


@app.get("/signed-out")
def signed_out():
    provider.validate_logout_response()
    return "bye"


visitor = app.test_client()


def visit(path):
    return visitor.get(path, base_url=HOME, follow_redirects=True)


def leads_to(path, until):
    """Where the browser comes to when our page sends it to the provider; as a path of ours."""
    sent = visitor.get(path, base_url=HOME)
    back = urlsplit(browser(sent.location, until))
    return f"{back.path}?{back.query}"


came = visit(leads_to("/login", f"{HOME}/callback"))
assert came.text == f"hello {os.environ['INTEROP_USERNAME']}", came.text
works("discovery")
works("code, PKCE, state, nonce")
claims = tokens["userinfo"]
assert claims["iss"] == ISSUER and claims["aud"] in (registered["client_id"], [registered["client_id"]]), claims
assert claims["at_hash"], "at_hash, which Authlib compares"
works("ID token")
works("userinfo")

metadata = requests.get(METADATA).json()
credentials = (registered["client_id"], registered["client_secret"])
oauth = OAuth2Session(*credentials, token_endpoint_auth_method="client_secret_post")
fresh = oauth.refresh_token(metadata["token_endpoint"], tokens["refresh_token"])
assert fresh["refresh_token"] != tokens["refresh_token"], "rotation"
works("refresh")

seen = oauth.introspect_token(metadata["introspection_endpoint"], fresh["access_token"], "access_token").json()
assert seen["active"] is True and seen["client_id"] == registered["client_id"], seen
works("introspection")

oauth.revoke_token(metadata["revocation_endpoint"], fresh["refresh_token"], "refresh_token").raise_for_status()
try:
    oauth.refresh_token(metadata["token_endpoint"], fresh["refresh_token"])
    sys.exit("a revoked refresh token still works")
except OAuthError as error:
    assert error.error == "invalid_grant", error
works("revocation")

came = visit(leads_to("/logout", f"{HOME}/signed-out"))
assert came.text == "bye", came.text
works("logout")
