"""Creates the temporary copy of a table on which a dry run executes the statements."""

from __future__ import annotations

from psycopg import Connection, sql

# `first` starts the numbers of new rows far above those of stored rows.
_COLUMNS = """
SELECT attname, attgenerated <> '' AS is_generated, attidentity <> '' AS is_identity,
       attgenerated = '' AND strpos(pg_get_expr(adbin, adrelid), 'nextval(') > 0 AS is_serial,
       CASE attlen WHEN 2 THEN 1 << 14 WHEN 8 THEN 1::bigint << 52 ELSE 1 << 30 END AS first
  FROM pg_attribute
  LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
 WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped
 ORDER BY attnum
"""
_RESTART_IDENTITY = """
ALTER TABLE {shadow} ALTER {column} SET INCREMENT BY 1 SET NO MINVALUE SET NO MAXVALUE
      SET START WITH {first} RESTART
"""
_REPLACE_SEQUENCE = """
CREATE TEMPORARY SEQUENCE {sequence} START WITH {first};
ALTER TABLE {shadow} ALTER {column} SET DEFAULT nextval({sequence_name})
"""


def create_shadow(conn: Connection, schema: str, table: str) -> sql.Composed:
    """Create the shadow of a table, which takes numbers from no real sequence.

    Generated columns stay generated: their expressions may refuse a row, and a column of
    ours that is generated stops the dry run with the error of the import.

    Args:
        conn: in the transaction of the dry run, which is not READ ONLY yet.
        schema: of the real table.
        table: its name, and that of the shadow.

    Returns:
        The columns without the generated ones, separated by commas.

    Raises:
        psycopg.Error: as `Connection.execute`.
    """
    shadow = sql.Identifier("pg_temp", table)
    # An earlier importer behind a pooler may have left one in the session.  The rollback
    # brings it back: it may be another application's.
    conn.execute(sql.SQL("DROP TABLE IF EXISTS {} CASCADE").format(shadow))
    conn.execute(
        sql.SQL(
            "CREATE TEMPORARY TABLE {} (LIKE {} INCLUDING ALL) ON COMMIT DROP"
        ).format(shadow, sql.Identifier(schema, table))
    )
    columns = conn.execute(_COLUMNS, [shadow.as_string(conn)]).fetchall()
    for position, (name, _, is_identity, is_serial, first) in enumerate(columns):
        sequence = sql.Identifier("pg_temp", f"{table}_sequence_{position}")
        query = _RESTART_IDENTITY if is_identity else _REPLACE_SEQUENCE
        if is_identity or is_serial:
            conn.execute(
                sql.SQL(query).format(
                    shadow=shadow,
                    column=sql.Identifier(name),
                    sequence=sequence,
                    sequence_name=sequence.as_string(conn),
                    first=first,
                )
            )
    return sql.SQL(", ").join(
        sql.Identifier(name) for name, is_generated, *_ in columns if not is_generated
    )
