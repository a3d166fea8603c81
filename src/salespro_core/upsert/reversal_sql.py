"""The statements of an undo: find what an import changed, compare, and take it back."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql

from salespro_core.exports.columns import Column, Export
from salespro_core.postgres.session import CHANGES
from salespro_core.upsert.change_records import recorded_columns, values_hash


def names_of(export: Export, schema: str) -> dict[str, sql.Composable]:
    """The names in the statements of this module: of tables, and of the key column."""
    return {
        "table": sql.Identifier(schema, export.table),
        "table_name": sql.Literal(export.table),
        "seen": sql.Identifier(schema, export.seen_table or export.table),
        "seen_name": sql.Literal(export.seen_table),
        "changes": sql.Identifier(schema, CHANGES),
        "key": sql.Identifier(export.key),
    }


def keys_statement(export: Export, schema: str, *, is_of_undo: bool) -> sql.Composed:
    """The next keys that an import has changed, in the order of their bytes.

    Parameters: `import_id`, `after` (a key; '' to start), `limit`.

    Args:
        export: has the tables.
        schema: of the tables.
        is_of_undo: the import is an undo itself, which has a record of each row.
    """
    parts = [
        sql.SQL("""
        (SELECT DISTINCT key FROM {changes}
          WHERE import_id = %(import_id)s AND key > %(after)s COLLATE "C"
          ORDER BY key LIMIT %(limit)s)""")
    ]
    if not is_of_undo:
        parts.append(
            sql.SQL("""
        (SELECT {key}::text COLLATE "C" FROM {table}
          WHERE created_by_import = %(import_id)s AND {key} > %(after)s COLLATE "C"
          ORDER BY 1 LIMIT %(limit)s)""")
        )
    if export.seen_table and not is_of_undo:
        parts.append(
            sql.SQL("""
        (SELECT {key}::text COLLATE "C" FROM {seen}
          WHERE (import_id = %(import_id)s OR %(import_id)s = ANY(earlier_imports))
            AND {key} > %(after)s COLLATE "C"
          ORDER BY 1 LIMIT %(limit)s)""")
        )
    names = names_of(export, schema)
    return sql.SQL("SELECT key FROM ({}) AS keys ORDER BY key LIMIT %(limit)s").format(
        sql.SQL(" UNION ").join(part.format(**names) for part in parts)
    )


def state_statement(export: Export, schema: str) -> sql.Composed:
    """What the import did to each key, and how the stored row compares with that.

    Parameters: `import_id`, `keys`.  Several changes of one row by one import are one: from
    the first old value to the last new value of each field.  It returns for each key:

    - `is_stored`; `was_created`: by this import;
    - `was_deleted`: by this import, which is an undo;
    - `old`, `new`: column -> text, of the columns that it changed;
    - `is_as_written`, `is_as_before`: whether the row has these new, or old, values, but
      for the column `written_at`; and `written_at`: its text now;
    - `is_as_created`: whether, with the old values, it is the row as it was created, or
      the row that this import, an undo, has created again;
    - `seen_kind`, `seen_at`, `seen_import`: an undo's record of the user's memory of an
      upload.
    """
    updated = [column for column in export.columns if column.name != export.key]
    written_at = export.written_at

    def is_as(values: str) -> sql.Composed:
        # Numbers and times may be stored in another form than they are recorded in.
        return sql.SQL(" AND ").join(
            sql.SQL(
                "(NOT {values} ? {name} OR {stored}"
                " IS NOT DISTINCT FROM ({values} ->> {name})::{type})"
            ).format(
                values=sql.Identifier("net", values),
                name=column.name,
                stored=sql.SQL(
                    'stored.{}::text COLLATE "C"'
                    if column.column_type.is_text
                    else "stored.{}"
                ).format(sql.Identifier(column.name)),
                type=sql.SQL(column.column_type.sql),
            )
            for column in updated
        )

    def value_before(column: Column) -> sql.Composable:
        return sql.SQL(
            "CASE WHEN net.old ? {name} THEN (net.old ->> {name})::{type} "
            "ELSE stored.{column} END"
        ).format(
            name=column.name,
            type=sql.SQL(column.column_type.sql),
            column=sql.Identifier(column.name),
        )

    return sql.SQL("""
        WITH changed AS MATERIALIZED (
            SELECT * FROM {changes} WHERE import_id = %(import_id)s AND key = ANY(%(keys)s)
        ), net AS (
            SELECT changed.key,
                   -- of equal names, the last one stays
                   jsonb_object_agg(field.key, (value -> 0)::jsonb ORDER BY id DESC) AS old,
                   jsonb_object_agg(field.key, (value -> 1)::jsonb ORDER BY id) AS new
              FROM changed CROSS JOIN LATERAL json_each(fields) AS field
             WHERE table_name = {table_name} AND kind = 'updated'
             GROUP BY changed.key
        ), own AS (
            SELECT key,
                   bool_or(kind = 'created') AS was_created,
                   bool_or(kind = 'deleted') AS was_deleted,
                   (array_agg(fields) FILTER (WHERE kind = 'created'))[1]::jsonb AS created
              FROM changed
             WHERE table_name = {table_name} AND kind <> 'updated'
             GROUP BY key
        )
        SELECT wanted.key,
               stored.{key} IS NOT NULL AS is_stored,
               coalesce(stored.created_by_import = %(import_id)s, false)
                   OR coalesce(own.was_created, false) AS was_created,
               coalesce(own.was_deleted, false) AS was_deleted,
               net.old, net.new,
               CASE WHEN net.key IS NOT NULL THEN {is_as_new} END AS is_as_written,
               CASE WHEN net.key IS NOT NULL THEN {is_as_old} END AS is_as_before,
               {written_at} AS written_at,
               CASE WHEN own.created IS NULL THEN {hash} = stored.created_hash
                    ELSE to_jsonb(stored) @> own.created END AS is_as_created,
               seen.kind AS seen_kind,
               (seen.fields ->> 'uploaded_at')::timestamptz AS seen_at,
               (seen.fields ->> 'import_id')::bigint AS seen_import
          FROM unnest(%(keys)s::text[]) WITH ORDINALITY AS wanted (key, position)
          LEFT JOIN net ON net.key = wanted.key
          LEFT JOIN own ON own.key = wanted.key
          LEFT JOIN changed AS seen
                 ON seen.key = wanted.key AND seen.table_name = {seen_name}
          LEFT JOIN {table} AS stored ON stored.{key} = wanted.key
         ORDER BY position
        """).format(
        is_as_new=is_as("new"),
        is_as_old=is_as("old"),
        written_at=sql.SQL("stored.{}::text").format(sql.Identifier(written_at))
        if written_at
        else sql.NULL,
        hash=values_hash(export, value_before),
        **names_of(export, schema),
    )


LOCK = sql.SQL("""
SELECT FROM {locked} WHERE {key} = ANY(%(keys)s) ORDER BY {key} COLLATE "C" FOR UPDATE
""")

DELETE = sql.SQL("""
WITH deleted AS (
    DELETE FROM {table} WHERE {key} = ANY(%(keys)s) RETURNING *
), recorded AS (
    INSERT INTO {changes} (import_id, key, table_name, kind, changed_at, fields)
    SELECT %(undo_id)s, {key}, {table_name}, 'deleted', now(), to_json(deleted) FROM deleted
     WHERE %(keeps_changes)s
)
SELECT {key} FROM deleted
""")

RECORD_CREATED = sql.SQL("""
INSERT INTO {changes} (import_id, key, table_name, kind, changed_at, fields)
SELECT %(undo_id)s, {key}, {table_name}, 'created', now(),
       (SELECT json_object_agg(field.key, value) FROM json_each(to_json(stored)) AS field
         WHERE field.key = ANY(%(names)s))
  FROM {table} AS stored
 WHERE {key} = ANY(%(keys)s) AND %(keeps_changes)s
""")

RECORD = sql.SQL("""
INSERT INTO {changes} (import_id, key, table_name, kind, changed_at, fields)
SELECT %(undo_id)s, key, {name}, %(kind)s, now(), fields::json
  FROM unnest(%(keys)s::text[], %(fields)s::text[]) AS record (key, fields)
 WHERE %(keeps_changes)s
""")


def restore_statement(export: Export, schema: str) -> sql.Composed:
    """Give rows their old values.  Parameters: `keys`, and `old`: a JSON object for each.

    It returns the keys of the rows that were updated.
    """
    types = {column.name: column.column_type.sql for column in export.columns}
    updated = [column.name for column in export.columns if column.name != export.key]
    return sql.SQL("""
        UPDATE {table} AS stored SET {assignments}
          FROM (SELECT key, old::jsonb
                  FROM unnest(%(keys)s::text[], %(old)s::text[]) AS given (key, old)) AS given
         WHERE stored.{key} = given.key
        RETURNING stored.{key}
        """).format(
        assignments=sql.SQL(", ").join(
            sql.SQL(
                "{column} = CASE WHEN old ? {name} THEN (old ->> {name})::{type} "
                "ELSE stored.{column} END"
            ).format(
                column=sql.Identifier(name),
                name=name,
                type=sql.SQL(types.get(name, "timestamptz")),
            )
            for name in recorded_columns(export, updated)
        ),
        **names_of(export, schema),
    )


def create_statement(
    export: Export, schema: str, columns: Sequence[str]
) -> sql.Composed:
    """Create rows again that an undo has deleted.  Parameters: `import_id`, `keys`.

    Args:
        export: has the table.
        schema: of the tables.
        columns: those of the deleted rows that the table has, without generated ones.
    """
    return sql.SQL("""
        INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE
        SELECT {values}
          FROM {changes}
         CROSS JOIN LATERAL json_populate_record(NULL::{table}, fields) AS deleted
         WHERE import_id = %(import_id)s AND {changes}.key = ANY(%(keys)s)
           AND table_name = {table_name} AND kind = 'deleted'
         ORDER BY {changes}.key
        RETURNING {key}
        """).format(
        columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
        values=sql.SQL(", ").join(sql.Identifier("deleted", name) for name in columns),
        **names_of(export, schema),
    )


# The deleted rows that have the same columns: the table may have got more since.
COLUMNS = sql.SQL("""
SELECT columns, array_agg(key ORDER BY key)
  FROM (SELECT key,
               (SELECT array_agg(attname::text ORDER BY attnum)
                  FROM pg_attribute
                 WHERE attrelid = %(relation)s::regclass AND attnum > 0
                   AND NOT attisdropped AND attgenerated = ''
                   AND fields -> attname::text IS NOT NULL) AS columns
          FROM {changes}
         WHERE import_id = %(import_id)s AND key = ANY(%(keys)s)
           AND table_name = {table_name} AND kind = 'deleted') AS deleted
 GROUP BY columns
""")

FORGET_ONLY_UPLOAD = sql.SQL("""
DELETE FROM {seen}
 WHERE {key} = ANY(%(keys)s) AND import_id = %(forgotten)s AND earlier_uploads IS NULL
RETURNING {key}
""")
# The upload may be the newest, or between others.
FORGET_UPLOAD = sql.SQL("""
UPDATE {seen} AS stored
   SET uploaded_at = uploads[cardinality(uploads)],
       earlier_uploads = nullif(uploads[:cardinality(uploads) - 1], '{{}}'),
       import_id = imports[cardinality(imports)],
       earlier_imports = nullif(imports[:cardinality(imports) - 1], '{{}}')
  FROM (SELECT {key}, uploads[:at - 1] || uploads[at + 1:] AS uploads,
               imports[:at - 1] || imports[at + 1:] AS imports
          FROM (SELECT {key}, earlier_uploads || uploaded_at AS uploads,
                       earlier_imports || import_id AS imports,
                       array_position(earlier_imports || import_id, %(forgotten)s::bigint)
                       AS at
                  FROM {seen} WHERE {key} = ANY(%(keys)s)) AS found
         WHERE at IS NOT NULL) AS remaining
 WHERE stored.{key} = remaining.{key}
RETURNING stored.{key}
""")
REMEMBER_UPLOAD = sql.SQL("""
INSERT INTO {seen} AS stored ({key}, uploaded_at, import_id)
SELECT key, %(uploaded_at)s::timestamptz, %(forgotten)s::bigint
  FROM unnest(%(keys)s::text[]) AS key
 ORDER BY key COLLATE "C"
    ON CONFLICT ({key}) DO UPDATE
   SET (uploaded_at, earlier_uploads, import_id, earlier_imports) = (
       SELECT uploads[cardinality(uploads)], uploads[:cardinality(uploads) - 1],
              imports[cardinality(imports)], imports[:cardinality(imports) - 1]
         FROM (SELECT array_agg(upload ORDER BY upload, import NULLS FIRST) AS uploads,
                      array_agg(import ORDER BY upload, import NULLS FIRST) AS imports
                 FROM unnest(stored.earlier_uploads || stored.uploaded_at
                             || excluded.uploaded_at,
                             stored.earlier_imports || stored.import_id
                             || excluded.import_id) AS entry (upload, import)) AS entries)
RETURNING {key}
""")

# The newest change of a row by another import than the one that is undone.
BLOCKERS = sql.SQL("""
SELECT DISTINCT ON (key) key, import_id
  FROM {changes}
 WHERE import_id > %(import_id)s AND key = ANY(%(keys)s) AND table_name = {table_name}
 ORDER BY key, id DESC
""")
