"""Makes live answers and leaves them, with the key set, in the folder given."""

import pathlib
import sys

import requests

from node import URL, person, verify

folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True)
(folder / "jwks.json").write_bytes(requests.get(f"{URL}/.well-known/jwks.json", timeout=10).content)
resident_id, name = person()
for label, claimed in [("match", name), ("mismatch", "欧阳不是")]:
    request, answer = verify(resident_id, claimed)
    (folder / f"{label}.request.json").write_bytes(request)
    (folder / f"{label}.answer.json").write_bytes(answer)
    assert f'"outcome":"{label}"'.encode() in answer, answer
