"""Calls in the manner of the national platform and of a TIF gateway, signed with hashlib and hmac alone."""

import base64
import hashlib
import hmac
import json
import os
import subprocess
import time
import urllib.request

from node import URL, person

RID = "00000000-0000-4000-8000-000000000000@test-001"
SID = "s_9900000000000_0001"
PAASID = "hukou-window"
APP_KEY = os.environ["UPLINK_APP_KEY"]
TOKEN = os.environ["UPLINK_TOKEN"]


def b64_hmac(key, text):
    return base64.b64encode(hmac.new(key.encode(), text.encode(), hashlib.sha256).digest()).decode()


def digest_of(body):
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


def national(key, body):
    rtime = str(time.time_ns() // 1_000_000)
    ours = "\n".join(["shuqiao-uplink-v1", "national", SID, RID, rtime, digest_of(body)])
    return {
        "gjgxjhpt_sid": SID,
        "gjgxjhpt_rid": RID,
        "gjgxjhpt_rtime": rtime,
        "gjgxjhpt_sign": b64_hmac(key, SID + RID + rtime),
        "content-digest": digest_of(body),
        "x-shuqiao-signature": b64_hmac(key, ours),
    }


def tif(service, body, nonce="123456789abcdefg"):
    timestamp = str(int(time.time()))
    signature = hashlib.sha256((timestamp + TOKEN + nonce + timestamp).encode()).hexdigest().upper()
    return {
        "x-tif-paasid": PAASID,
        "x-tif-timestamp": timestamp,
        "x-tif-nonce": nonce,
        "x-tif-signature": signature,
        "content-digest": digest_of(body),
    }


def post(path, headers, body):
    headers = {"content-type": "application/json", **headers}
    with urllib.request.urlopen(urllib.request.Request(URL + path, body, headers), timeout=10) as response:
        return json.load(response)


def opened(secret):
    """AES-256-ECB with PKCS#7, by a library that is not ours."""
    command = ["openssl", "enc", "-d", "-aes-256-ecb", "-base64", "-A", "-K", APP_KEY.encode().hex()]
    return subprocess.run(command, input=secret.encode(), check=True, capture_output=True).stdout.decode()


def question(number, name):
    return json.dumps({"sfzh": number, "xm": name, "ywlsh": "CLIENTS-1"}).encode()


# The vectors first: what is wrong here is wrong with this script.
assert b64_hmac("0123456789abcdef0123456789abcdef", f"{SID}{RID}1755763200000") == "9On7tqO1XirFExTL3SJLPHdFMwGh5mMg+bxxUDoAAVM="

resident_id, name = person()
issued = post("/uplink/national/auth/refreshappsecret", national(APP_KEY, b""), b"")
assert issued["code"] == "0" and issued["data"]["secretEndTime"] > time.time() * 1000, issued
secret = opened(issued["data"]["secret"])
for claimed, result in [(name, "1"), ("欧阳不是", "2")]:
    body = question(resident_id, claimed)
    headers = national(secret, body)
    said = post("/uplink/national/call", headers, body)
    assert said["code"] == "0" and said["data"]["result"] == result, said
    assert said["data"]["answer"]["receipt"], said
    again = post("/uplink/national/call", headers, body)
    assert again["code"] == "-1" and again["data"]["problem"]["code"] == "replayed", again

body = question(resident_id, name)
headers = tif("person", body)
said = post(f"/ebus/{PAASID}/person", headers, body)
assert said["code"] == "0" and said["data"]["result"] == "match", said
changed = post(f"/ebus/{PAASID}/person", headers, question(resident_id, "欧阳不是"))
assert changed["code"] == "-1" and changed["data"]["problem"]["code"] == "signature_refused", changed
stranger = post("/uplink/national/call", {**national(secret, body), "gjgxjhpt_rid": "nobody"}, body)
assert stranger["code"] == "E-106", stranger
