"""Encodings, collations, columns, keys, triggers and rules that the warehouse has added."""

from __future__ import annotations

from tests.chaos.settings.databases.case import DatabaseCase
from tests.support.table_contents import (
    APPOINTMENT_TABLE,
    HISTORY_TABLE,
    SEEN_TABLE,
    TABLES,
    USERS_TABLE,
)

_AUDIT = """
CREATE TABLE audit (of_table text, action text, content jsonb);
CREATE FUNCTION log_change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    INSERT INTO audit VALUES (TG_TABLE_NAME, TG_OP, to_jsonb(NEW));
    RETURN NULL;
END $$;
CREATE TRIGGER log_change AFTER INSERT OR UPDATE ON salespro_appointment
   FOR EACH ROW EXECUTE FUNCTION log_change();
CREATE TRIGGER log_change AFTER INSERT OR UPDATE ON salespro_users
   FOR EACH ROW EXECUTE FUNCTION log_change();
"""
_DEFERRED = "".join(
    f"""
    DROP TRIGGER warehouse_trigger ON {table};
    CREATE CONSTRAINT TRIGGER warehouse_trigger AFTER INSERT OR UPDATE ON {table}
       DEFERRABLE INITIALLY DEFERRED
       FOR EACH ROW EXECUTE FUNCTION warehouse_trigger();
    """
    for table in (APPOINTMENT_TABLE, USERS_TABLE)
)
_STAMP = f"""
ALTER TABLE {APPOINTMENT_TABLE} ADD search_name text, ADD changed_at timestamptz;
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.search_name := lower(NEW.customer_last_name);
    NEW.changed_at := clock_timestamp();
    RETURN NEW;
END $$;
CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON {APPOINTMENT_TABLE}
   FOR EACH ROW EXECUTE FUNCTION stamp();
"""
_REORDERED = f"""
ALTER TABLE {USERS_TABLE} ADD gap int;
ALTER TABLE {USERS_TABLE} DROP gap;
ALTER TABLE {USERS_TABLE} RENAME email TO old_email;
ALTER TABLE {USERS_TABLE} ADD email varchar(254);
ALTER TABLE {USERS_TABLE} DROP old_email;
"""


def _collated(collation: str, column: str) -> str:
    return (
        f"ALTER TABLE {APPOINTMENT_TABLE} ALTER {column} TYPE varchar(100)"
        f" COLLATE {collation};"
    )


_IGNORE_CASE = (
    "CREATE COLLATION ignore_case"
    " (provider = icu, locale = 'und-u-ks-level2', deterministic = false); "
)

CASES = (
    DatabaseCase(
        name="a database in SQL_ASCII", options="ENCODING 'SQL_ASCII' LOCALE 'C'"
    ),
    DatabaseCase(
        name="a database with Turkish ICU rules",
        options="ENCODING 'UTF8' LOCALE 'C' LOCALE_PROVIDER icu ICU_LOCALE 'tr-TR'",
        needs_icu=True,
        since=15,
    ),
    DatabaseCase(
        name="a database with ICU rules that sort numbers by value",
        options="ENCODING 'UTF8' LOCALE 'C' LOCALE_PROVIDER icu"
        " ICU_LOCALE 'en-u-kn-true'",
        needs_icu=True,
        since=15,
    ),
    DatabaseCase(
        name="columns with a default",
        setup=f"""
        ALTER TABLE {APPOINTMENT_TABLE} ADD source text NOT NULL DEFAULT 'salespro',
                    ADD loaded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
                    ADD row_id uuid DEFAULT gen_random_uuid();
        ALTER TABLE {USERS_TABLE} ADD tags text[] NOT NULL DEFAULT '{{}}';
        ALTER TABLE {SEEN_TABLE} ADD note text DEFAULT 'x';
        ALTER TABLE {HISTORY_TABLE} ADD by_role text DEFAULT current_user;
        """,
    ),
    DatabaseCase(
        name="an identity column",
        setup=f"ALTER TABLE {APPOINTMENT_TABLE} ADD number bigint"
        " GENERATED ALWAYS AS IDENTITY",
    ),
    DatabaseCase(
        name="a serial column",
        setup=f"ALTER TABLE {APPOINTMENT_TABLE} ADD number bigserial;"
        " GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {role}",
    ),
    DatabaseCase(
        name="stored generated columns",
        setup=f"""
        ALTER TABLE {APPOINTMENT_TABLE} ADD customer text GENERATED ALWAYS AS
              (coalesce(customer_first_name, '') || ' ' || customer_last_name) STORED;
        ALTER TABLE {USERS_TABLE} ADD has_office boolean GENERATED ALWAYS AS
              (office_id IS NOT NULL) STORED;
        """,
    ),
    DatabaseCase(
        name="virtual generated columns",
        setup=f"ALTER TABLE {APPOINTMENT_TABLE} ADD is_large boolean"
        " GENERATED ALWAYS AS (sale_amount > 1000) VIRTUAL",
        since=18,
    ),
    DatabaseCase(
        name=f"`{APPOINTMENT_TABLE}.customer_estimate_name` is a generated column",
        setup=f"ALTER TABLE {APPOINTMENT_TABLE} DROP customer_estimate_name;"
        f" ALTER TABLE {APPOINTMENT_TABLE} ADD customer_estimate_name varchar(255)"
        " GENERATED ALWAYS AS ('x') STORED",
        undo=f"ALTER TABLE {APPOINTMENT_TABLE} DROP customer_estimate_name;"
        f" ALTER TABLE {APPOINTMENT_TABLE} ADD customer_estimate_name varchar(255)",
        error="SQLSTATE 428C9: .*customer_estimate_name",
    ),
    DatabaseCase(
        name="a NOT NULL column without a default",
        setup=f"ALTER TABLE {APPOINTMENT_TABLE} ADD region text NOT NULL",
        undo=f"ALTER TABLE {APPOINTMENT_TABLE} ALTER region DROP NOT NULL",
        error="SQLSTATE 23502 of region. .* give it a default",
    ),
    DatabaseCase(name="columns in another order", setup=_REORDERED),
    DatabaseCase(
        name="unlogged tables",
        setup="".join(f"ALTER TABLE {table} SET UNLOGGED;" for table in TABLES),
    ),
    DatabaseCase(name="triggers that write each change to another table", setup=_AUDIT),
    DatabaseCase(name="a trigger that fills columns of the warehouse", setup=_STAMP),
    DatabaseCase(name="deferred triggers that refuse rows", setup=_DEFERRED),
    DatabaseCase(
        name="a rule that does nothing instead of INSERT",
        setup=f"CREATE RULE nothing AS ON INSERT TO {APPOINTMENT_TABLE}"
        " DO INSTEAD NOTHING",
        undo=f"DROP RULE nothing ON {APPOINTMENT_TABLE}",
        error="rule",
    ),
    DatabaseCase(name="a key with another collation", setup=_collated('"POSIX"', "id")),
    DatabaseCase(
        name="a key with an ICU collation",
        setup=_collated('"de-x-icu"', "id"),
        needs_icu=True,
    ),
    DatabaseCase(
        name="a key with a nondeterministic collation",
        setup=_IGNORE_CASE + _collated("ignore_case", "id"),
        undo=_collated('"C"', "id"),
        error="nondeterministic collation",
        needs_icu=True,
    ),
    DatabaseCase(
        name="a key of type citext",
        setup="CREATE EXTENSION citext;"
        f" ALTER TABLE {APPOINTMENT_TABLE} ALTER id TYPE citext",
        undo=_collated('"C"', "id"),
        error="citext",
        needs_icu=True,
    ),
    DatabaseCase(
        name="a column with a nondeterministic collation",
        setup=_IGNORE_CASE + _collated("ignore_case", "customer_estimate_name"),
        needs_icu=True,
    ),
    DatabaseCase(
        name="a column of type citext",
        setup="CREATE EXTENSION citext; ALTER TABLE"
        f" {APPOINTMENT_TABLE} ALTER customer_estimate_name TYPE citext",
        needs_icu=True,
    ),
    DatabaseCase(
        name="a deferrable primary key",
        setup=f"ALTER TABLE {APPOINTMENT_TABLE}"
        f" DROP CONSTRAINT {APPOINTMENT_TABLE}_pkey, ADD PRIMARY KEY (id) DEFERRABLE",
        undo=f"ALTER TABLE {APPOINTMENT_TABLE}"
        f" DROP CONSTRAINT {APPOINTMENT_TABLE}_pkey, ADD PRIMARY KEY (id)",
        error="deferrable|SQLSTATE 55000",
    ),
    DatabaseCase(
        name="the primary key dropped",
        setup=f"ALTER TABLE {APPOINTMENT_TABLE} DROP CONSTRAINT {APPOINTMENT_TABLE}_pkey",
        undo=f"ALTER TABLE {APPOINTMENT_TABLE} ADD PRIMARY KEY (id)",
        error="SQLSTATE 42P10",
    ),
    DatabaseCase(
        name="a unique index on another column",
        setup=f"CREATE UNIQUE INDEX ON {APPOINTMENT_TABLE} (created_at, id)",
    ),
)
