"""Receipts verify with PyPI joserfc, by the very text of docs/receipts.md, and every changed bit is refused."""

import json
import pathlib
import re
import sys

from joserfc.jwk import KeySet

folder, page = map(pathlib.Path, sys.argv[1:])
documented = {}
exec(re.search(r"```python\n(.*?)```", page.read_text(), re.DOTALL)[1], documented)
stated, decode, sha256 = (documented[name] for name in ["stated", "decode", "sha256"])


def encode(part):
    import base64

    return base64.urlsafe_b64encode(bytes(part)).rstrip(b"=").decode()


def canonical(value):
    """RFC 8785 for what an answer holds: strings, integers, booleans, objects, lists."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def changed(receipt):
    """The receipt with each bit changed, of the bytes behind base64url: a library's leniency about the unused bits of
    a last character is not ours."""
    parts = re.split("([.~])", receipt)
    for number in range(0, len(parts), 2):
        whole = decode(parts[number])
        for bit in range(len(whole) * 8):
            part = bytearray(whole)
            part[bit // 8] ^= 1 << (bit % 8)
            yield number, bit, "".join([*parts[:number], encode(part), *parts[number + 1 :]])


keys = KeySet.import_key_set(json.loads((folder / "jwks.json").read_text()))
form = folder.name
for label in ["match", "mismatch"]:
    answer = json.loads((folder / f"{label}.answer.json").read_text())
    request = (folder / f"{label}.request.json").read_bytes()
    receipt = answer.pop("receipt")
    assert ("~" in receipt) == (form == "batch"), receipt
    said = stated(receipt, keys)
    assert said["outcome"] == label, said
    assert said["jti"] == answer["call_id"], said
    assert said["log"]["index"] >= 0, said
    assert said["request_sha256"] == sha256(request).hex(), said
    assert said["answer_sha256"] == sha256(canonical(answer)).hex(), said
    refused = 0
    for part, bit, text in changed(receipt):
        try:
            stated(text, keys)
        except Exception:
            refused += 1
        else:
            sys.exit(f"part {part} bit {bit}: a changed receipt verified")
    print(f"{label}: verified, {refused} changed receipts refused")
