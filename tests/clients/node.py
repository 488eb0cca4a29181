"""The node under test, as a department sees it."""

import json
import os
import subprocess
import time

import requests

URL = os.environ["NODE_URL"]
CLIENT = "gz-hukou-window"
ITEM = "11440100MB9YYY997R3440101001000"


def shuqiao(*arguments):
    return subprocess.run([os.environ["NODE_PROGRAM"], *arguments], check=True, capture_output=True, text=True).stdout


def token():
    return shuqiao("token", CLIENT).strip()


def account_token(account, department, *roles):
    """A token of a person's account, which is made where it is not there yet."""
    if f'"{account}"' not in shuqiao("client", "list", "--json"):
        words = [word for role in roles for word in ("--role", role)]
        shuqiao("client", "register", account, "--department", department, "--generate", *words)
        time.sleep(1)  # The running node reads accounts again five times a second.
    return shuqiao("token", account).strip()


def person_token():
    """A token of an account with every role, of the department that owns the register of persons."""
    account = "clients-staff"
    if f'"{account}"' not in shuqiao("client", "list", "--json"):
        roles = [word for role in ("consumer", "steward", "approver", "auditor", "operator") for word in ("--role", role)]
        shuqiao("client", "register", account, "--department", "gd-public-security", "--generate", *roles)
    return shuqiao("token", account).strip()


def person():
    """Some ordinary person of the register: (resident id, name)."""
    statement = "select resident_id || ' ' || name from \"natural-person\" where status = '0' limit 1"
    cell = shuqiao("sql", statement).splitlines()[3].strip("| ")
    return tuple(cell.split(" ", 1))


def verify(resident_id, name):
    """Returns the request body as sent and the answer as received."""
    body = json.dumps(
        {
            "dataset": "natural-person",
            "item": ITEM,
            "case": "CLIENTS-1",
            "subject": {"resident_id": resident_id},
            "claims": {"name": name},
        }
    ).encode()
    headers = {"authorization": f"Bearer {token()}", "content-type": "application/json"}
    response = requests.post(f"{URL}/v1/verifications", data=body, headers=headers, timeout=10)
    assert response.status_code == 200, response.text
    return body, response.content
