"""A receipt is an ordinary JWS: joserfc verifies it, and every changed bit is refused."""

import hashlib
import json
import pathlib
import sys

from joserfc import jws
from joserfc.jwk import KeySet

folder = pathlib.Path(sys.argv[1])
keys = KeySet.import_key_set(json.loads((folder / "jwks.json").read_text()))


def payload(text):
    return json.loads(jws.deserialize_compact(text, keys, algorithms=["EdDSA", "Ed25519"]).payload)


def canonical(value):
    """RFC 8785 for what an answer holds: strings, integers, booleans, objects, lists."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


for label in ["match", "mismatch"]:
    answer = json.loads((folder / f"{label}.answer.json").read_text())
    request = (folder / f"{label}.request.json").read_bytes()
    receipt = answer.pop("receipt")
    said = payload(receipt)
    assert said["outcome"] == label, said
    assert said["jti"] == answer["call_id"], said
    assert said["request_sha256"] == hashlib.sha256(request).hexdigest(), said
    assert said["answer_sha256"] == hashlib.sha256(canonical(answer)).hexdigest(), said

    # Every bit of the signed bytes and of the signature, decoded, so that a library's leniency about the unused bits
    # of a last base64 character is not taken for ours.
    import base64

    def decode(part):
        return bytearray(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))

    def encode(part):
        return base64.urlsafe_b64encode(bytes(part)).rstrip(b"=").decode()

    parts = receipt.split(".")
    tried = 0
    for number in range(3):
        for bit in range(len(decode(parts[number])) * 8):
            changed = decode(parts[number])
            changed[bit // 8] ^= 1 << (bit % 8)
            text = ".".join(encode(changed) if at == number else part for at, part in enumerate(parts))
            try:
                payload(text)
            except Exception:
                tried += 1
                continue
            sys.exit(f"part {number} bit {bit}: a changed receipt verified")
    print(f"{label}: verified, {tried} changed receipts refused")
