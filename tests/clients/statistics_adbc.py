"""A steward counts over Flight SQL with the ADBC driver; what would show a record, or has no purpose, is refused by rule."""

import os

import adbc_driver_flightsql.dbapi as flightsql
import adbc_driver_manager
from adbc_driver_flightsql import ConnectionOptions, DatabaseOptions

from node import ITEM, account_token, shuqiao, token

HEADER = DatabaseOptions.RPC_CALL_HEADER_PREFIX.value
BY_STATUS = 'select status, count(*) as n from "legal-entity" group by status order by n desc'


def connect(bearer, item=ITEM, case="COUNT-1"):
    options = {DatabaseOptions.AUTHORIZATION_HEADER.value: f"Bearer {bearer}"} if bearer else {}
    options |= {HEADER + "x-shuqiao-item": item} if item else {}
    options |= {HEADER + "x-shuqiao-case": case} if case else {}
    return flightsql.connect(os.environ["FLIGHT_URL"], db_kwargs=options)


def refused(code, statement, **connection):
    """The statement, or the connection itself, is refused with this code of ours in the message."""
    try:
        with connect(**connection) as connected, connected.cursor() as cursor:
            cursor.execute(statement)
            cursor.fetchall()
    except adbc_driver_manager.Error as error:
        assert f"{code}: " in str(error), f"{code} expected: {error}"
        return
    raise AssertionError(f"{code} expected, and it was answered: {statement}")


steward = account_token("clients-firms", "gd-market-regulation", "steward")
auditor = account_token("clients-auditor", "gd-government-services", "auditor")

with connect(steward) as connection:
    # Conformance: the driver asks for this at once, and ends the process over a wrong shape.
    info = connection.adbc_get_info()
    assert info["vendor_name"] == "Shuqiao exchange node", info
    assert connection.adbc_get_table_types() == ["TABLE"]
    objects = connection.adbc_get_objects(depth="columns").read_all().to_pylist()
    tables = {table["table_name"]: table for catalog in objects for schema in catalog["catalog_db_schemas"]
              for table in schema["db_schema_tables"]}
    assert "legal-entity" in tables and "natural-person" not in tables, list(tables)
    columns = {column["column_name"] for column in tables["legal-entity"]["table_columns"]}
    assert "division" in columns and not columns & {"credit_code", "legal_representative"}, columns

    with connection.cursor() as cursor:
        cursor.execute(BY_STATUS)
        counted = cursor.fetch_arrow_table()
        told = {name.decode(): value.decode() for name, value in (counted.schema.metadata or {}).items()}
        assert counted.num_rows > 0 and min(counted["n"].to_pylist()) >= 10, counted
        print("metadata of the result:", told)
        expected = shuqiao("sql", 'select count(*) from "legal-entity" where status = \'1\'').splitlines()[3].strip("| ")
        cursor.execute('select count(*) from "legal-entity" where status = ?', ("1",))
        assert cursor.fetchone() == (int(expected),)
        cursor.execute('select count(*) from "legal-entity" where established_on >= ? and registered_capital > ?',
                       (__import__("datetime").date(2000, 1, 1), 1000))
        assert cursor.fetchone()[0] > 0
        # A parameter is a value, never a part of the statement.
        cursor.execute('select count(*) from "legal-entity" where status = ?', ("1' or '1' = '1",))
        assert cursor.fetchall() == []
        cursor.adbc_prepare('select kind, count(*) from "legal-entity" where division like ? group by kind')
        for division in ("44%", "4401%"):
            cursor.execute('select kind, count(*) from "legal-entity" where division like ? group by kind', (division,))
            assert cursor.fetchall()
        cursor.adbc_cancel()
    with connection.cursor() as cursor:
        cursor.execute(BY_STATUS)
        assert cursor.fetchall()

refused("token_missing", BY_STATUS, bearer="")
refused("token_invalid", BY_STATUS, bearer="nonsense")
refused("role_required", BY_STATUS, bearer=token())
refused("invalid_value", BY_STATUS, bearer=steward, item=None)
refused("invalid_value", BY_STATUS, bearer=steward, case=None)
refused("unknown_item", BY_STATUS, bearer=steward, item="11440100MB9YYY997R3440199999000")
refused("statement_refused", 'select * from "legal-entity"', bearer=steward)
refused("statement_refused", 'select credit_code, count(*) from "legal-entity" group by 1', bearer=steward)
refused("statement_refused", 'select min(established_on) from "legal-entity"', bearer=steward)
refused("statement_refused", 'select count(*) from "legal-entity" where legal_representative = \'x\'', bearer=steward)
refused("denied", 'select count(*) from "natural-person"', bearer=steward)
refused("statement_refused", 'select count(*) from "natural-person" where name = \'x\'', bearer=auditor)

with connect(auditor) as connection, connection.cursor() as cursor:
    cursor.execute('select division, count(*) from "natural-person" group by division')
    assert cursor.fetchall()
