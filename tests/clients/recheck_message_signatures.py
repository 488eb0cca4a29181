"""A call that is finished later, told to a server of our own: PyPI http-message-signatures verifies what it gets."""

import base64
import http.server
import json
import queue
import threading
import time
from types import SimpleNamespace

import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from http_message_signatures import HTTPMessageSignaturesException, HTTPMessageVerifier, MappingKeyResolver, algorithms

from node import CLIENT, URL, shuqiao, token, verify

COVERED = ("@method", "@target-uri", "content-digest", "content-type", "shuqiao-delivery")
told = queue.Queue()


class Window(http.server.BaseHTTPRequestHandler):
    """Takes the second try: the first one is answered 503."""

    statuses = [503]

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        told.put((dict(self.headers.items()), body))
        self.send_response(self.statuses.pop(0) if self.statuses else 204)
        self.end_headers()

    def log_message(self, *_):
        pass


server = http.server.HTTPServer(("127.0.0.1", 0), Window)
threading.Thread(target=server.serve_forever, daemon=True).start()
target = f"http://127.0.0.1:{server.server_port}/told?by=node"
shuqiao("webhook", "set", CLIENT, target, "--reason", "clients")


def decoded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


keys = requests.get(f"{URL}/.well-known/jwks.json", timeout=10).json()["keys"]
public = {key["kid"]: Ed25519PublicKey.from_public_bytes(decoded(key["x"])) for key in keys}
verifier = HTTPMessageVerifier(
    signature_algorithm=algorithms.ED25519, key_resolver=MappingKeyResolver(public_keys=public, private_keys={})
)


def check(url, headers, body):
    message = SimpleNamespace(method="POST", url=url, headers=headers)
    (result,) = verifier.verify(message, expect_tag="shuqiao-recheck", require_components=COVERED, body=body)
    return result


def refused(url, headers, body):
    try:
        check(url, headers, body)
    except HTTPMessageSignaturesException:
        return True
    return False


# Somebody whose record a person has to look at: the answer is indeterminate, and settled with the first try.
statement = "select resident_id || ' ' || name from \"natural-person\" where status = '9' limit 1"
resident_id, name = shuqiao("sql", statement).splitlines()[3].strip("| ").split(" ", 1)
request, answer = verify(resident_id, name)
answer = json.loads(answer)
assert answer["outcome"] == "indeterminate", answer
bearer = {"authorization": f"Bearer {token()}"}
filing = {"receipt": answer["receipt"], "body": request.decode()}
filed = requests.post(f"{URL}/v1/rechecks", json=filing, headers=bearer, timeout=10)
assert filed.status_code == 202, filed.text

first, second = told.get(timeout=120), told.get(timeout=120)
for headers, body in (first, second):
    result = check(target, headers, body)
    assert result.parameters["keyid"] in public and abs(time.time() - result.parameters["created"]) < 300, result
    assert json.loads(body)["call_id"] == answer["call_id"], body
    assert refused(target + "&to=another", headers, body)
    assert refused(target, headers, body + b" ")
    changed = {**headers, "shuqiao-delivery": "another"} if "shuqiao-delivery" in headers else {}
    assert changed and refused(target, changed, body)
assert first[0]["shuqiao-delivery"] == second[0]["shuqiao-delivery"] and first[1] == second[1]
shown = requests.get(f"{URL}/v1/rechecks/{filed.json()['id']}", headers=bearer, timeout=10).json()
assert shown == json.loads(second[1]) and shown["state"] == "settled", shown
shuqiao("webhook", "remove", CLIENT, "--reason", "clients")
