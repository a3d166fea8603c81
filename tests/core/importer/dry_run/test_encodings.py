"""In a database that is not in UTF8, a row with a character that it lacks is rejected."""

from __future__ import annotations

from typing import LiteralString

import pytest
from psycopg import Connection
from psycopg.conninfo import make_conninfo

from salespro_core.model.counts import Counts
from salespro_core.postgres import connection
from tests.support.builders import appointment, csv_bytes
from tests.support.databases import new_database
from tests.support.import_runs import dry_run, run
from tests.support.table_contents import APPOINTMENT_TABLE, stored


@pytest.mark.parametrize("cell", ["_id", "customer_nameLast"])
def test_reason_names_the_encoding_that_lacks_a_character(
    server: str, cell: str
) -> None:
    """Previously it had only an SQLSTATE."""
    options: LiteralString = "ENCODING 'LATIN1' LOCALE 'C'"
    rows = [appointment(key) for key in ("A", "Zoë", "B", "Zü")]
    with new_database(server, "template0", options) as name:
        url = make_conninfo(server, dbname=name)
        with connection.connect(url) as conn:
            connection.migrate(conn)
            run(conn, csv_bytes(rows[0], rows[1], rows[3]))
            older = {"_updated_at": "2020-01-01T00:00:00.000Z"}
            bad = appointment("D", **{cell: "Łukasz"})
            data = csv_bytes(rows[0] | older, rows[1], bad, rows[2], rows[3] | older)
            predicted = dry_run(url, data)

            outcome = run(conn, data)

            assert set(stored(conn, APPOINTMENT_TABLE)) == {"A", "Zoë", "B", "Zü"}
    assert outcome.counts == Counts(created=1, unchanged=1, stale=2, rejected=1)
    assert predicted.counts == outcome.counts
    assert [row.key for row in predicted.stale] == ["A", "Zü"]
    assert outcome.rejects == predicted.rejects
    [reject] = outcome.rejects
    assert [str(problem) for problem in reject.problems] == [
        "has a character that LATIN1, the database's encoding, lacks"
    ]


RAISING_TRIGGER = """
CREATE FUNCTION convert_name() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM convert_to(NEW.customer_last_name, 'LATIN1');
    RETURN NEW;
END $$;
CREATE TRIGGER convert_name BEFORE INSERT ON salespro_appointment
   FOR EACH ROW EXECUTE FUNCTION convert_name();
"""


def test_conversion_that_fails_in_a_trigger_of_a_utf8_database_is_a_refusal(
    conn: Connection,
) -> None:
    """UTF8 lacks no character."""
    conn.execute(RAISING_TRIGGER)
    names = ["Lee", "Łukasz"]

    outcome = run(
        conn, csv_bytes(*(appointment(name, customer_nameLast=name) for name in names))
    )

    assert outcome.counts == Counts(created=1, rejected=1)
    [reject] = outcome.rejects
    assert [str(problem) for problem in reject.problems] == [
        "is refused by Postgres (UntranslatableCharacter, SQLSTATE 22P05)"
    ]
