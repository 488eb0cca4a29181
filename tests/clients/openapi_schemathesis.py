"""schemathesis over the OpenAPI document, in all its phases, as a system and as a person with every role: no 5xx, no
undocumented status or content type, no answer of another shape, no authentication that is passed over."""

import subprocess
import sys
import tempfile

from node import URL, person_token, token

CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,ignored_auth"
)


def run(bearer):
    command = [
        sys.executable, "-m", "schemathesis.cli", "run", f"{URL}/openapi.json", "--checks", CHECKS,
        "--header", f"Authorization: Bearer {bearer}",
        "--max-examples", "40", "--seed", "8640", "--phases", "examples,coverage,fuzzing,stateful", "--workers", "2",
    ]
    # It leaves its cache in the working directory.
    with tempfile.TemporaryDirectory() as folder:
        return subprocess.run(command, cwd=folder).returncode


# The person last: what a person with every role may do stops the calls of others.
sys.exit(run(token()) or run(person_token()))
