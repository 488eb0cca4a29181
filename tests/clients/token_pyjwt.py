"""A department's own library makes the client assertion (RFC 7523); a replay of it is refused."""

import os
import pathlib
import time
import uuid

import jwt
import requests

from node import CLIENT, URL

key = (pathlib.Path(os.environ["SHUQIAO_DIR"]) / "data" / "clients" / f"{CLIENT}.pem").read_text()
now = int(time.time())
claims = {"iss": CLIENT, "sub": CLIENT, "aud": f"{URL}/oauth/token", "iat": now, "exp": now + 60, "jti": str(uuid.uuid4())}
form = {
    "grant_type": "client_credentials",
    "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    "client_assertion": jwt.encode(claims, key, algorithm="EdDSA"),
}
issued = requests.post(f"{URL}/oauth/token", data=form, timeout=10)
assert issued.status_code == 200, issued.text
keys = jwt.PyJWKClient(f"{URL}/.well-known/jwks.json")
token = issued.json()["access_token"]
said = jwt.decode(token, keys.get_signing_key_from_jwt(token).key, algorithms=["EdDSA"], audience=URL, issuer=URL)
assert said["sub"] == CLIENT, said
replayed = requests.post(f"{URL}/oauth/token", data=form, timeout=10)
assert replayed.status_code == 401 and replayed.json()["error"] == "invalid_client", replayed.text
