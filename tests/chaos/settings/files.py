"""Small files whose cells and rows are sensitive to settings of the session."""

from __future__ import annotations

from tests.support.builders import CANARY, CsvRow, appointment, csv_bytes, user

OLD, NEW = "2025-06-07T10:00:00.000Z", "2025-06-08T10:00:00.000Z"
# Refused by `CHECK`, which a dry run knows as well.
REFUSED_BY_CHECK = f"refused by a constraint {CANARY}"
# Refused by the trigger of `TRIGGERS`, which exists on the real tables only.
REFUSED_BY_TRIGGER = f"refused by a trigger {CANARY}"

# Each text means something to Postgres: in an array literal, in a string literal, in a
# statement, as NULL, as a number or a date.
TEXTS = (
    "NULL",
    "null",
    r"\N",
    '{"a",b}',
    r"back\slash \\ \' ' \" end\\",
    "two\nlines\tand a tab",
    "O'Neil; DROP TABLE x --",
    " spaces around ",
    "Zoë Łukasz 日本 🙂",
    "\u00a0%s $1 :name ?",
    "$$ ${x} $body$",
    "01/02/2025",
    "1,234.5",
    "infinity",
)
# The first and the last year, the last second of a leap day, the hours that a change to
# summer time skips or repeats in Europe and America, the date line, an old offset with
# seconds.
TIMES = (
    "0001-01-01T00:00:00.000Z",
    "9999-12-31T23:59:59.999Z",
    "2024-02-29T23:59:59.999999Z",
    "2025-03-30T01:30:00.000Z",
    "2025-10-26T00:30:00.000Z",
    "2025-11-02T05:30:00.500Z",
    "2011-12-30T12:00:00.000Z",
    "1883-11-18T17:00:00.001Z",
    "2025-02-03T04:05:06.100Z",
    "1999-12-31T23:59:59.000Z",
    "2025-06-06T00:16:45.538Z",
    "2038-01-19T03:14:08.000Z",
    "1970-01-01T00:00:00.000Z",
    "1582-10-10T00:00:00.000Z",
)
AMOUNTS = ("0.1", "-12.50", "9999999999.99", "0", "1234567.89", "0.01", "")
DAYS = ("12/31/1899", "02/29/2024", "01/02/2003", "", "2025-06-18")
USER_AMOUNTS = ("0.1", "-12.50", "99999999.99", "", "0.01")

NEW_APPOINTMENTS: list[CsvRow] = [
    *(
        appointment(
            f"T-{i}",
            _created_at=time,
            customer_nameLast=text,
            customer_nameFirst=CANARY,
            resultFullString=text * 3,
            saleAmount=AMOUNTS[i % len(AMOUNTS)],
            isSale=("TRUE", "", "no")[i % 3],
        )
        for i, (text, time) in enumerate(zip(TEXTS, TIMES, strict=True))
    ),
    # Compressed and moved out of the table's pages.
    appointment("long", resultFullString="resultat é " * 2000),
    appointment("stays"),
    # Another key, unless the key's type or collation ignores the case.
    appointment("STAYS"),
    appointment("is-edited", saleAmount="1"),
    appointment("is-newer", _updated_at=NEW),
    appointment("NULL", salesrep_email=""),
]
EDITED_APPOINTMENTS: list[CsvRow] = [
    NEW_APPOINTMENTS[0],
    appointment("stays"),
    appointment("is-edited", saleAmount="2", customer_nameLast="NULL"),
    # Another text, unless the column's type or collation ignores the case.
    NEW_APPOINTMENTS[1] | {"customer.estimateName": "WINDOWS"},
    appointment("is-newer", _updated_at=OLD, saleAmount="3"),
    appointment("twice", _updated_at=OLD, saleAmount="4"),
    appointment("twice", _updated_at=NEW, saleAmount="5"),
    appointment("is-bad", saleAmount=f"a lot {CANARY}"),
    appointment(""),
    appointment("is-refused", customer_nameLast=REFUSED_BY_CHECK),
    appointment("is-added", _updated_at=""),
]
LENIENT_APPOINTMENTS: list[CsvRow] = [
    appointment("is-edited", saleAmount="n/a", _updated_at=NEW),
    appointment("is-newer", _updated_at=OLD, saleAmount="n/a"),
    appointment("is-lenient", _created_at="yesterday"),
    appointment("stays"),
]
TRIGGERED_APPOINTMENTS: list[CsvRow] = [
    appointment("before"),
    appointment("is-fired", customer_nameLast=REFUSED_BY_TRIGGER),
    appointment("after", saleAmount="6"),
]

NEW_USERS: list[CsvRow] = [
    *(
        user(
            f"U-{i}",
            First_Name=text,
            Last_Name=CANARY,
            Assigned_Office=f"{text} ( office{i} )",
            Last_Login=DAYS[i % len(DAYS)],
            Additional_Amount=USER_AMOUNTS[i % len(USER_AMOUNTS)],
            Active_Inactive=("TRUE", "", "no")[i % 3],
        )
        for i, text in enumerate(TEXTS)
    ),
    user("stays"),
    user("STAYS"),
    user("is-edited"),
    user("NULL", Last_Login=""),
]
EDITED_USERS: list[CsvRow] = [
    NEW_USERS[0],
    user("stays"),
    user("is-edited", Additional_Amount="7", First_Name="null"),
    user("twice", Additional_Amount="8"),
    user("twice", Additional_Amount="9"),
    user("is-bad", Last_Login=f"someday {CANARY}"),
    user(""),
    user("is-refused", Last_Name=REFUSED_BY_CHECK),
    user("is-added", Email=""),
]
OLDER_USERS: list[CsvRow] = [user("is-edited", Additional_Amount="10"), user("is-late")]
LENIENT_USERS: list[CsvRow] = [
    user("is-edited", Additional_Amount="n/a"),
    user("is-lenient", Last_Login="n/a"),
    user("stays"),
]
TRIGGERED_USERS: list[CsvRow] = [
    user("before"),
    user("is-fired", Last_Name=REFUSED_BY_TRIGGER),
    user("after"),
]


def encoded(rows: list[CsvRow]) -> bytes:
    """Return the rows as a file with the header of their export."""
    return csv_bytes(*rows)


# What the warehouse has added to the tables.
CHECK = """
ALTER TABLE {table} ADD CONSTRAINT warehouse_check
      CHECK ({column} IS NULL OR {column} NOT LIKE 'refused by a constraint%')
"""
TRIGGER_FUNCTION = """
CREATE FUNCTION warehouse_trigger() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    last_name text := coalesce(to_jsonb(NEW) ->> 'customer_last_name',
                               to_jsonb(NEW) ->> 'last_name');
BEGIN
    IF last_name LIKE 'refused by a trigger%' THEN
        RAISE EXCEPTION 'not this one: %', last_name;
    END IF;
    RETURN NEW;
END $$
"""
TRIGGER = """
CREATE TRIGGER warehouse_trigger BEFORE INSERT OR UPDATE ON {table}
   FOR EACH ROW EXECUTE FUNCTION warehouse_trigger()
"""
