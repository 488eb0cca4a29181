"""A CSV of persons as sorted Parquet, by DuckDB on two threads.

Started by benches/publish.rs. Arguments: the CSV, the Parquet file to make. Compression is that of `shuqiao publish`; nothing
is checked but that each column holds what DuckDB guesses from a sample.
"""

import sys

import duckdb

source, target = sys.argv[1:3]
database = duckdb.connect()
database.execute("set threads = 2")
database.execute(
    f"copy (select * from read_csv('{source}', header = true) order by resident_id) "
    f"to '{target}' (format parquet, compression lz4_raw)"
)
