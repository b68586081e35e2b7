"""A small OpenID Connect provider for tests: discovery, authorisation, token, keys and who somebody is, over HTTP."""

import base64
import hashlib
import json
import secrets
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

CLIENT, SECRET = "dashboard", "the-client's-secret"


class IdentityProvider:
    """Lets in `person` without a question. `is_broken`: answers nonsense."""

    def __init__(self) -> None:
        self.person: dict[str, Any] = {"sub": "1", "preferred_username": "ada", "email": "ada@example.org"}
        self.is_broken = False
        self.wrong: list[str] = []  # what the client did wrong
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._codes: dict[str, dict[str, str]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._make_handler())
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def settings(self) -> dict[str, str]:
        """What the dashboard is told of it."""
        return {
            "OIDC_SERVER_URL": self.url,
            "OIDC_CLIENT_ID": CLIENT,
            "OIDC_CLIENT_SECRET": SECRET,
            "OIDC_NAME": "the desk's directory",
        }

    def close(self) -> None:
        """Be down."""
        self._server.shutdown()
        self._server.server_close()

    def answer(self, path: str, query: dict[str, str], form: dict[str, str], token: str) -> dict[str, Any] | str:
        """What is at an address: JSON, or where it leads."""
        if self.is_broken:
            return {}
        if path == "/.well-known/openid-configuration":
            places = {"authorization_endpoint": "authorize", "token_endpoint": "token", "userinfo_endpoint": "me"}
            return {
                "issuer": self.url,
                "jwks_uri": f"{self.url}/keys",
                "token_endpoint_auth_methods_supported": ["client_secret_post"],
                **{name: f"{self.url}/{place}" for name, place in places.items()},
            }
        if path == "/keys":
            return {"keys": [{**RSAAlgorithm.to_jwk(self._key.public_key(), as_dict=True), "kid": "1", "use": "sig"}]}
        if path == "/authorize":
            code = secrets.token_urlsafe()
            self._codes[code] = query
            back = urllib.parse.urlencode({"code": code, "state": query["state"]})
            return f"{query['redirect_uri']}?{back}"
        if path == "/token":
            return self._exchange(form)
        assert path == "/me", path
        self._expect(token == "Bearer the-access-token", "sends the access token")
        return self.person

    def _exchange(self, form: dict[str, str]) -> dict[str, Any]:
        asked = self._codes.pop(form["code"])
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest())
        self._expect(challenge.decode().rstrip("=") == asked["code_challenge"], "proves that it asked (PKCE)")
        self._expect((form["client_id"], form["client_secret"]) == (CLIENT, SECRET), "says who it is")
        now = int(time.time())
        claims = {"iss": self.url, "aud": CLIENT, "iat": now, "exp": now + 60, **self.person}
        id_token = jwt.encode(claims, self._key, "RS256", headers={"kid": "1"})
        return {"access_token": "the-access-token", "token_type": "Bearer", "id_token": id_token}

    def _expect(self, claim: bool, what: str) -> None:
        if not claim:
            self.wrong.append(f"it does not hold that the client {what}")

    def _make_handler(provider) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                place = urllib.parse.urlsplit(self.path)
                form = self.rfile.read(int(self.headers["Content-Length"] or 0)).decode()
                answer = provider.answer(
                    place.path,
                    dict(urllib.parse.parse_qsl(place.query)),
                    dict(urllib.parse.parse_qsl(form)),
                    self.headers["Authorization"] or "",
                )
                self.send_response(302 if isinstance(answer, str) else 200)
                if isinstance(answer, str):
                    self.send_header("Location", answer)
                    self.end_headers()
                else:
                    self.send_header("Content-Type", "application/json")
                    self.end_headers()
                    self.wfile.write(json.dumps(answer).encode())

            do_POST = do_GET

            def log_message(self, *_: Any) -> None:
                """Nothing."""

        return Handler
