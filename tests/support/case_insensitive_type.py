"""A text type that ignores case, as citext does; for servers without the extension."""

from __future__ import annotations

from psycopg import Connection

_TYPE = """
CREATE TYPE caseless;
CREATE FUNCTION caseless_in(cstring) RETURNS caseless
    LANGUAGE internal IMMUTABLE STRICT AS 'textin';
CREATE FUNCTION caseless_out(caseless) RETURNS cstring
    LANGUAGE internal IMMUTABLE STRICT AS 'textout';
CREATE TYPE caseless
    (INPUT = caseless_in, OUTPUT = caseless_out, LIKE = text, COLLATABLE = true);
CREATE CAST (caseless AS text) WITHOUT FUNCTION AS IMPLICIT;
CREATE CAST (text AS caseless) WITHOUT FUNCTION AS ASSIGNMENT;
CREATE CAST (varchar AS caseless) WITHOUT FUNCTION AS ASSIGNMENT;
CREATE FUNCTION caseless_eq(caseless, caseless) RETURNS boolean
    LANGUAGE sql IMMUTABLE AS 'SELECT lower($1::text) = lower($2::text)';
CREATE OPERATOR = (LEFTARG = caseless, RIGHTARG = caseless, FUNCTION = caseless_eq);
"""


def ignore_case(conn: Connection, table: str, column: str) -> None:
    """Give the column a type by which `Lee` and `LEE` are equal.

    Args:
        conn: of a superuser.
        table: with the column; its name needs no quotes.
        column: of type text or varchar.
    """
    conn.execute(_TYPE)
    conn.execute(f"ALTER TABLE {table} ALTER {column} TYPE caseless".encode())
    row = conn.execute("SELECT 'Lee'::caseless = 'LEE'::caseless").fetchone()
    assert row == (True,)
