"""Point selects of DuckDB on Parquet files, prepared once a connection.

Started by benches/duckdb.rs. Arguments: the files' glob and a file of keys, one a line. Each line of standard input,
"callers milliseconds", is answered by selects a second.
"""

import sys
import threading
import time

import duckdb

SELECT = "prepare find as select name from read_parquet('{}') where resident_id = $1"


def caller(connection, keys, number, end, done):
    count = 0
    while time.monotonic() < end:
        key = keys[number % len(keys)]
        rows = connection.execute(f"execute find('{key}')").fetchall()
        assert len(rows) == 1, key
        number += 1
        count += 1
    done.append(count)


def main():
    files, keys = sys.argv[1], open(sys.argv[2]).read().split()
    database = duckdb.connect()
    # Footers are kept between selects, as they are with us.
    database.execute("set enable_object_cache = true")
    database.execute("set parquet_metadata_cache = true")
    connections = {}
    for line in sys.stdin:
        callers, milliseconds = map(int, line.split())
        for number in range(len(connections), callers):
            connections[number] = database.cursor()
            connections[number].execute(SELECT.format(files))
        done = []
        began = time.monotonic()
        end = began + milliseconds / 1000
        threads = [
            threading.Thread(target=caller, args=(connections[n], keys, n * 7919, end, done)) for n in range(callers)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print(sum(done) / (time.monotonic() - began), flush=True)


main()
