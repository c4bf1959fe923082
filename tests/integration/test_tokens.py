"""Tokens of an identity provider: a real issuer's keys over HTTP, every way a token can be wrong, and who they stand for."""

import base64
import hashlib
import hmac
import http.server
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from mutirao.db import Database
from mutirao.errors import Forbidden, SettingsInvalid, Unauthorized, Unavailable
from mutirao.keys import Scope
from mutirao.projects import Projects
from mutirao.settings import AccessSettings
from mutirao.tokens import TokenVerifier

pytestmark = [pytest.mark.integration, pytest.mark.anyio]

ISSUER, AUDIENCE = "https://issuer.example", "mutirao"


@dataclass
class Issuer:
    """Signs tokens and publishes its keys."""

    keys: dict[str, rsa.RSAPrivateKey] = field(default_factory=dict)
    published: set[str] = field(default_factory=set)
    asked: int = 0
    down: bool = False
    url: str = ""

    def new_key(self, kid: str) -> None:
        self.keys[kid] = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.published.add(kid)

    def token(self, kid: str = "a", *, signed_by: Any = None, algorithm: str = "RS256", **claims: Any) -> str:
        values = {
            "iss": ISSUER, "aud": AUDIENCE, "sub": "ana", "exp": int(time.time()) + 60, "project": "tokens",
            "scope": "read submit other",
        }  # fmt: skip
        values |= claims
        given = {name: value for name, value in values.items() if value is not None}
        return jwt.encode(given, signed_by or self.keys[kid], algorithm=algorithm, headers={"kid": kid})

    def document(self) -> dict[str, Any]:
        keys = [
            {**json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.keys[kid].public_key())), "kid": kid, "alg": "RS256"}
            for kid in sorted(self.published)
        ]
        return {"keys": keys}


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    found = Issuer()
    found.new_key("a")
    found.new_key("b")

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked += 1
            self.send_response(503 if found.down else 200)
            self.end_headers()
            self.wfile.write(json.dumps(found.document()).encode())

        def log_message(self, *arguments: object) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        found.url = f"http://127.0.0.1:{server.server_port}/keys"
        yield found
        server.shutdown()
        thread.join()


@pytest.fixture
async def projects(database_url: str) -> AsyncIterator[Projects]:
    db = Database(database_url)
    try:
        await Projects(db).ensure("tokens")
        yield Projects(db)
    finally:
        await db.close()


def forged(claims: str, secret: bytes) -> str:
    """A token whose HS256 signature was made with what everybody knows."""
    head = base64.urlsafe_b64encode(b'{"alg":"HS256","kid":"a","typ":"JWT"}').decode().rstrip("=")
    signature = hmac.new(secret, f"{head}.{claims}".encode(), hashlib.sha256).digest()
    return f"{head}.{claims}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def settings(issuer: Issuer, **more: Any) -> AccessSettings:
    values = {"jwt_issuer": ISSUER, "jwt_audience": AUDIENCE, "jwt_jwks_url": issuer.url}
    return AccessSettings(**(values | more))


async def test_a_token_stands_for_its_subject_in_the_project_it_names(issuer: Issuer, projects: Projects) -> None:
    verifier = TokenVerifier(settings(issuer), projects)
    identity = await verifier.identify(issuer.token())
    assert identity.actor == "subject:ana"
    assert identity.project_id == await projects.find("tokens")
    assert identity.scopes == {Scope.READ, Scope.SUBMIT}
    assert identity.expires_at is not None
    by_id = issuer.token("b", project=str(identity.project_id), scope=["admin"])
    assert (await verifier.identify(by_id)).scopes == {Scope.ADMIN}
    assert (await verifier.identify(issuer.token(scope=None))).scopes == {Scope.READ}
    # Both keys were read at once, and only then.
    assert issuer.asked == 1


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": int(time.time()) - 120}, {"exp": None}, {"iss": "https://other.example"}, {"iss": None},
        {"aud": "another-program"}, {"aud": None}, {"sub": None}, {"nbf": int(time.time()) + 86_400},
        {"sub": "a" * 256},
    ],
    ids=["past", "no end", "other issuer", "no issuer", "other audience", "no audience", "nobody", "to come", "long name"],
)  # fmt: skip
async def test_a_token_that_is_wrong_is_refused(issuer: Issuer, projects: Projects, claims: dict[str, Any]) -> None:
    token = issuer.token(**claims)
    with pytest.raises(Unauthorized) as caught:
        await TokenVerifier(settings(issuer), projects).identify(token)
    assert token not in caught.value.message


async def test_a_token_of_another_key_or_algorithm_is_refused(issuer: Issuer, projects: Projects) -> None:
    verifier = TokenVerifier(settings(issuer), projects)
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = issuer.keys["a"].public_key()
    text = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    unsigned = jwt.encode({"sub": "ana"}, None, algorithm="none", headers={"kid": "a"})  # type: ignore[arg-type]
    tokens = [
        issuer.token(signed_by=stranger),
        # The public key taken for a shared secret.
        forged(issuer.token().split(".")[1], text),
        unsigned,
        issuer.token()[:-4] + "AAAA",
        "a.b.c",
        "",
    ]
    for token in tokens:
        with pytest.raises(Unauthorized):
            await verifier.identify(token)


async def test_a_project_that_is_not_there_is_said_with_the_remedy(issuer: Issuer, projects: Projects) -> None:
    token = issuer.token(project="nobody-made-it")
    with pytest.raises(Forbidden, match="POST /projects"):
        await TokenVerifier(settings(issuer), projects).identify(token)
    with pytest.raises(Forbidden, match="no claim 'project'"):
        await TokenVerifier(settings(issuer), projects).identify(issuer.token(project=None))
    making = TokenVerifier(settings(issuer, jwt_create_projects=True), projects)
    assert (await making.identify(token)).project_id == await projects.find("nobody-made-it")


async def test_unknown_keys_do_not_make_us_ask_the_issuer_again_and_again(issuer: Issuer, projects: Projects) -> None:
    issuer.keys["hidden"] = issuer.keys["a"]
    verifier = TokenVerifier(settings(issuer), projects)
    for _ in range(20):
        with pytest.raises(Unauthorized, match="does not publish"):
            await verifier.identify(issuer.token("hidden"))
    assert issuer.asked == 1


async def test_an_issuer_that_is_down_is_no_401(issuer: Issuer, projects: Projects) -> None:
    issuer.down = True
    with pytest.raises(Unavailable):
        await TokenVerifier(settings(issuer), projects).identify(issuer.token())


async def test_a_public_key_or_a_secret_may_stand_in_the_settings(issuer: Issuer, projects: Projects) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    by_key = TokenVerifier(settings(issuer, jwt_jwks_url=None, jwt_public_key=public.decode()), projects)
    assert (await by_key.identify(issuer.token(signed_by=private, algorithm="ES256"))).subject == "ana"
    secret = "s" * 40
    by_secret = TokenVerifier(settings(issuer, jwt_jwks_url=None, jwt_secret=secret), projects)
    assert (await by_secret.identify(issuer.token(signed_by=secret, algorithm="HS256"))).subject == "ana"
    with pytest.raises(Unauthorized):
        await by_secret.identify(issuer.token())


@pytest.mark.parametrize(
    "wrong",
    [
        {"jwt_algorithms": "none"}, {"jwt_algorithms": "HS256"}, {"jwt_audience": None}, {"jwt_issuer": None},
        {"jwt_public_key": "x"}, {"jwt_jwks_url": None},
    ],
    ids=str,
)  # fmt: skip
async def test_settings_by_halves_are_refused(issuer: Issuer, projects: Projects, wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsInvalid, match="MUTIRAO_JWT"):
        TokenVerifier(settings(issuer, **wrong), projects)


async def test_without_settings_there_are_no_tokens(projects: Projects) -> None:
    assert not TokenVerifier(AccessSettings(), projects).enabled
