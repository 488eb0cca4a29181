"""A published version is an ordinary Delta table, sorted by its key: the deltalake library reads it."""

import os
import pathlib

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

table = DeltaTable(pathlib.Path(os.environ["SHUQIAO_DIR"]) / "data" / "tables" / "natural-person")
assert table.version() >= 0
for file in table.file_uris():
    import pyarrow.parquet as pq

    keys = pq.read_table(file, columns=["resident_id"])["resident_id"]
    assert len(keys) > 0
    indices = pc.sort_indices(keys)
    assert indices.equals(pa.array(range(len(keys)), pa.uint64())), "not sorted by key"
