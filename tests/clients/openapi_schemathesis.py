"""schemathesis over the OpenAPI document: no 5xx, no undocumented status, no undocumented content type."""

import subprocess
import sys
import tempfile

from node import URL, token

command = [
    sys.executable, "-m", "schemathesis.cli", "run", f"{URL}/openapi.json",
    "--checks", "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
    "--header", f"Authorization: Bearer {token()}",
    "--max-examples", "60", "--seed", "8640", "--phases", "examples,coverage,fuzzing", "--workers", "2",
]
# It leaves its cache in the working directory.
with tempfile.TemporaryDirectory() as folder:
    sys.exit(subprocess.run(command, cwd=folder).returncode)
