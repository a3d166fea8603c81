"""A dry run: it foretells what an import would do, and touches nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection
from psycopg.conninfo import make_conninfo
from psycopg.pq import TransactionStatus

from salespro_core.errors import ObjectUnavailable, StoreRefused
from salespro_core.exports.catalogue import APPOINTMENTS, USERS
from salespro_core.exports.columns import Export
from salespro_core.importer.callbacks import ImportCallbacks
from salespro_core.importer.dry_run import dry_run_upload
from salespro_core.importer.options import Options
from salespro_core.importer.shadow_tables import SAMPLE, shadow_tables
from salespro_core.model.counts import Counts
from salespro_core.model.outcome import Change, Outcome, Stale
from salespro_core.model.rejects import Problem, Reject
from salespro_core.postgres import connection
from tests.support.builders import MORNING, appointment, csv_bytes, upload, user
from tests.support.databases import temporary_role
from tests.support.import_runs import (
    FILES,
    FileSpec,
    PiecewiseStream,
    dry_run,
    file_bytes,
    new_version,
    run,
    run_counts,
)
from tests.support.table_contents import TABLES, clear, contents_and_versions, number

Row = dict[str, str]
SMALL = Options(checkpoint_rows=4, batch_size=2)
OLD, NEW = "2025-06-07T09:00:00.000Z", "2025-06-08T10:00:00.000Z"
STORED = [
    appointment("same"),
    appointment("edited"),
    appointment("newer", _updated_at=NEW),
]


def state(conn: Connection) -> object:
    """All that a dry run could have touched."""
    sequence = "SELECT last_value, is_called FROM salespro_sync_history_id_seq"
    return contents_and_versions(conn), conn.execute(sequence).fetchall()


# --- the counts are those of the import -----------------------------------------------

MIXED = [
    appointment("same"),
    appointment("edited", saleAmount="99"),
    appointment("newer", _updated_at=OLD),
    appointment("new"),
    appointment("twice", saleAmount="1"),
    appointment("twice", saleAmount="2"),
    appointment("bad", saleAmount="a lot"),
    appointment(""),
]
AGAIN = [
    appointment("new", saleAmount="7"),
    appointment("twice", _updated_at=OLD),
    appointment("same"),
    appointment("edited", saleAmount="99"),
    appointment("last"),
]
ONLY_KEYS = [{"_id": key} for key in ("same", "new", "new")]


@pytest.mark.parametrize("stored", [[], STORED, [*STORED, *MIXED]], ids=len)
@pytest.mark.parametrize(
    ("rows", "options"),
    [
        pytest.param(MIXED, Options(), id="one-of-each"),
        pytest.param([*MIXED, *AGAIN], Options(), id="duplicates-sent-together"),
        pytest.param([*MIXED, *AGAIN], SMALL, id="duplicates-across-commits"),
        pytest.param([*MIXED, *AGAIN, *MIXED], SMALL, id="again-and-again"),
        pytest.param(MIXED, Options(is_lenient=True), id="lenient"),
        pytest.param(ONLY_KEYS, SMALL, id="only-keys"),
    ],
)
def test_the_counts_are_those_of_the_import_that_follows(
    database_url: str,
    conn: Connection,
    stored: Sequence[Row],
    rows: Sequence[Row],
    options: Options,
) -> None:
    """A dry run that is only roughly right is not worth waiting for."""
    if stored:
        run(conn, csv_bytes(*stored))
    before = state(conn)
    data = csv_bytes(*rows)

    foreseen = dry_run(database_url, data, options=options)

    assert state(conn) == before
    done = run(conn, data, options=options)
    assert foreseen.counts == done.counts
    assert foreseen.counts.processed == len(rows)
    assert (foreseen.rejects, foreseen.warnings) == (done.rejects, done.warnings)


@pytest.mark.parametrize("hours", [-1, 0, 1], ids=["late", "as-new", "newer"])
@pytest.mark.parametrize("options", [Options(), SMALL], ids=["together", "in-parts"])
def test_the_counts_of_users_are_those_of_the_import_that_follows(
    database_url: str, conn: Connection, hours: int, options: Options
) -> None:
    """Their order is remembered in a table of its own, which is shadowed too."""
    run(conn, csv_bytes(user("same"), user("edited"), user("twice")))
    rows = [
        user("same"),
        user("edited", Email="a@b.c"),
        user("twice"),
        user("new"),
        user("bad", Last_Login="31/31/2025"),
        user("twice", Email="a@b.c"),
        user("new", Email="a@b.c"),
    ]
    of = new_version(upload(uploaded_at=MORNING + timedelta(hours=hours)))
    before = state(conn)

    foreseen = dry_run(database_url, csv_bytes(*rows), of, options=options)

    assert state(conn) == before
    assert foreseen.counts == run(conn, csv_bytes(*rows), of, options=options).counts
    assert foreseen.counts.processed == len(rows)


@pytest.mark.parametrize("is_dated", [True, False], ids=["appointments", "users"])
@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(files=FILES, checkpoint_rows=st.integers(1, 9), batch_size=st.integers(1, 4))
def test_before_any_import_a_dry_run_foretells_it(
    database_url: str,
    conn: Connection,
    files: list[FileSpec],
    checkpoint_rows: int,
    batch_size: int,
    *,
    is_dated: bool,
) -> None:
    """Whatever is stored, and whatever is in the file."""
    clear(conn)
    options = Options(checkpoint_rows=checkpoint_rows, batch_size=batch_size)
    for file in files:
        at = MORNING + timedelta(hours=file.hour)
        of = new_version(upload(uploaded_at=at))
        data = file_bytes(file, is_dated=is_dated)
        before = state(conn)

        foreseen = dry_run(database_url, data, of, options=options)

        assert state(conn) == before
        assert foreseen.counts == run(conn, data, of, options=options).counts


# --- samples --------------------------------------------------------------------------


def test_a_dry_run_shows_what_would_change_field_by_field(
    database_url: str, conn: Connection
) -> None:
    """Old and new, as Postgres writes them; fields that stay as they are are left out."""
    run_counts(conn, csv_bytes(*STORED))
    data = csv_bytes(
        appointment("same"),
        appointment("edited", saleAmount="$1,099", _updated_at=NEW, isSale="no"),
        appointment("newer", _updated_at=OLD, saleAmount="1"),
        appointment("bad", saleAmount="a lot"),
        {"_id": "new", "saleAmount": "5", "customer.nameLast": "Silva"},
    )

    outcome = dry_run(database_url, data, upload())

    assert outcome == Outcome(
        upload=upload(),
        status="completed",
        is_dry_run=True,
        seconds=0.0,
        sync_type="csv_appointments",
        counts=Counts(created=1, updated=1, unchanged=1, stale=1, rejected=1),
        rejects=(
            Reject(
                5,
                (Problem("saleAmount", "is not an amount such as 23245.09"),),
                tuple(appointment("bad", saleAmount="a lot").values()),
            ),
        ),
        stale=(
            Stale(
                key="newer",
                stored="2025-06-08 10:00:00+00",
                incoming="2025-06-07 09:00:00+00",
            ),
        ),
        changes=(
            Change(
                key="edited",
                is_new=False,
                fields={
                    "updated_at": ("2025-06-07 10:00:00+00", "2025-06-08 10:00:00+00"),
                    "is_sale": ("true", "false"),
                    "sale_amount": ("12.50", "1099.00"),
                },
            ),
            Change(
                key="new",
                is_new=True,
                fields={
                    "is_sale": (None, "false"),
                    "customer_last_name": (None, "Silva"),
                    "sale_amount": (None, "5.00"),
                },
            ),
        ),
    )


def test_a_value_that_would_become_null_is_shown(
    database_url: str, conn: Connection
) -> None:
    """An export that lost its amounts is what a dry run is there to catch."""
    run_counts(conn, csv_bytes(appointment("A")))

    outcome = dry_run(database_url, csv_bytes(appointment("A", saleAmount="")))

    assert outcome.changes == (
        Change(key="A", is_new=False, fields={"sale_amount": ("12.50", None)}),
    )


def test_a_row_that_comes_twice_is_shown_as_it_would_be_in_the_end(
    database_url: str, conn: Connection
) -> None:
    """Also if each of the two would be committed by itself."""
    run_counts(conn, csv_bytes(appointment("A"), appointment("B")))
    data = csv_bytes(
        appointment("A", saleAmount="1"),
        appointment("B", saleAmount="1"),
        appointment("A", saleAmount="2"),
        appointment("B"),
    )
    options = Options(checkpoint_rows=2)

    outcome = dry_run(database_url, data, options=options)

    assert outcome.counts == Counts(updated=4)
    assert outcome.changes == (
        Change(key="A", is_new=False, fields={"sale_amount": ("12.50", "2.00")}),
    )


def test_samples_are_few_and_in_the_order_of_the_keys(
    database_url: str, conn: Connection
) -> None:
    """A report of 200,000 changes is read by nobody."""
    keys = [f"{i:03}" for i in range(60)]
    run_counts(conn, csv_bytes(*(user(key) for key in keys[:30])))

    outcome = dry_run(
        database_url, csv_bytes(*(user(key, Email="a@b.c") for key in keys))
    )

    assert outcome.counts == Counts(created=30, updated=30)
    assert [(each.key, each.is_new) for each in outcome.changes] == [
        *((key, False) for key in keys[:SAMPLE]),
        *((key, True) for key in keys[30 : 30 + SAMPLE]),
    ]


# --- it touches nothing ---------------------------------------------------------------


@pytest.mark.parametrize(
    "write",
    [
        "INSERT INTO public.salespro_appointment (id) VALUES ('A')",
        "UPDATE public.salespro_appointment SET sale_amount = 0",
        "DELETE FROM public.salespro_appointment",
        "SELECT FROM public.salespro_appointment FOR UPDATE",
        "TRUNCATE public.salespro_appointment",
        "DROP TABLE public.salespro_appointment",
        "UPDATE public.salespro_sync_history SET status = 'failed'",
        "CREATE TABLE other (id int)",
        "SELECT nextval('public.salespro_sync_history_id_seq')",
    ],
)
def test_the_server_refuses_a_write_to_what_is_real(
    conn: Connection, write: str
) -> None:
    """Not our care but Postgres makes sure of it: the transaction is READ ONLY."""
    with (
        pytest.raises(psycopg.errors.ReadOnlySqlTransaction),
        shadow_tables(conn, APPOINTMENTS),
    ):
        conn.execute(write.encode())


@pytest.mark.parametrize("export", [APPOINTMENTS, USERS], ids=["appointments", "users"])
@pytest.mark.parametrize(
    "search_path", ["public", "public, pg_temp", '"$user", public, pg_catalog']
)
def test_our_names_mean_the_shadows(
    conn: Connection, export: Export, search_path: str
) -> None:
    """Also where pg_temp was put at the end, as careful administrators do."""
    conn.execute("SELECT set_config('search_path', %s, false)", [search_path])

    with shadow_tables(conn, export) as shadows:
        where = {
            table: number(conn, f"SELECT '{table}'::regclass::oid") for table in TABLES
        }
        temporary = conn.execute(
            "SELECT relname FROM pg_class WHERE relpersistence = 't' AND oid = ANY(%s)",
            [list(where.values())],
        ).fetchall()

    shadowed_tables = {export.table, export.seen_table, "salespro_sync_history"}
    assert shadows.schema == "public"
    assert {name for (name,) in temporary} == shadowed_tables - {None}


def test_a_dry_run_works_where_pg_temp_is_searched_last(
    database_url: str, conn: Connection
) -> None:
    """The server refused its every write, to the real table, and it was tried again."""
    name = psycopg.sql.Identifier(conn.info.dbname)
    alter = psycopg.sql.SQL("ALTER DATABASE {} SET search_path = public, pg_temp")
    conn.execute(alter.format(name))

    outcome = dry_run(database_url, csv_bytes(appointment()))

    assert outcome.counts == Counts(created=1)


def test_afterwards_the_session_is_idle_and_the_shadows_empty(conn: Connection) -> None:
    """A transaction that stays open would hold back VACUUM."""
    dry_run_upload(conn, upload(), PiecewiseStream(csv_bytes(appointment())))

    assert conn.info.transaction_status is TransactionStatus.IDLE
    assert number(conn, "SELECT count(*) FROM pg_temp.salespro_appointment") == 0


def test_a_dry_run_is_not_noted_in_the_history(
    database_url: str, conn: Connection
) -> None:
    """Nor does it claim the upload: the import may follow at once, or be under way."""
    dry_run(database_url, csv_bytes(appointment()), upload())

    assert number(conn, "SELECT count(*) FROM salespro_sync_history") == 0
    assert run(conn, csv_bytes(appointment()), upload()).attempts == 1
    again = dry_run(database_url, csv_bytes(appointment()), new_version())
    assert again.counts == Counts(unchanged=1)


# --- what goes wrong ------------------------------------------------------------------


def test_a_file_that_would_be_refused_is_refused_with_its_fix(
    database_url: str, conn: Connection
) -> None:
    """To find that out without a trace is what it is for."""
    published: list[Outcome] = []
    before = state(conn)

    outcome = dry_run(
        database_url,
        csv_bytes(appointment()).replace(b",", b";"),
        upload(),
        callbacks=ImportCallbacks(publish=lambda outcome, _: published.append(outcome)),
    )

    assert outcome == Outcome(
        upload=upload(),
        status="failed",
        is_dry_run=True,
        seconds=0.0,
        error="The cells are parted by semicolons; export the file with commas.",
    )
    assert [each.error for each in published] == [outcome.error]
    assert state(conn) == before


def test_a_dry_run_that_runs_out_of_time_says_how_to_do_it(
    database_url: str, conn: Connection
) -> None:
    """It cannot go on from a checkpoint, since it leaves none."""
    before = state(conn)
    data = csv_bytes(*(appointment(f"{i}") for i in range(20)))
    left_s = [60.0]

    def on_commit(so_far: Outcome) -> None:
        left_s[0] = 60.0 if so_far.counts.processed < 8 else 0.0

    outcome = dry_run(
        database_url,
        data,
        options=SMALL,
        callbacks=ImportCallbacks(on_commit=on_commit, remaining_s=lambda: left_s[0]),
    )

    assert (outcome.status, outcome.counts) == ("failed", Counts(created=8))
    assert "salespro import --dry-run" in str(outcome.error)
    assert outcome.is_unfinished
    assert state(conn) == before


def test_a_stream_that_breaks_ends_the_dry_run(conn: Connection) -> None:
    """It is tried again as a whole, and the session is as clean as before."""
    data = csv_bytes(*(appointment(f"{i}") for i in range(200)))
    cut = PiecewiseStream(
        data, after=len(data) - 1, error=ObjectUnavailable("S3 cut it off.")
    )

    with pytest.raises(ObjectUnavailable):
        dry_run_upload(conn, upload(), cut, options=SMALL)

    assert conn.info.transaction_status is TransactionStatus.IDLE


def test_without_tables_it_says_what_to_run(empty_database_url: str) -> None:
    """Most often DATABASE_URL names another database than the one that was migrated."""
    with pytest.raises(StoreRefused, match="run `salespro migrate`") as refused:
        dry_run(empty_database_url, csv_bytes(appointment()))

    assert refused.value.sqlstate == "42P01"


def test_without_the_right_to_temporary_tables_it_says_what_to_grant(
    database_url: str, conn: Connection
) -> None:
    """Some administrators take it from everybody."""
    name = psycopg.sql.Identifier(conn.info.dbname)
    revoke = psycopg.sql.SQL("REVOKE TEMPORARY ON DATABASE {} FROM PUBLIC")
    conn.execute(revoke.format(name))
    grants = [f"SELECT ON {table}" for table in TABLES]

    with (
        temporary_role(database_url, *grants) as limited,
        pytest.raises(StoreRefused, match="grant it TEMPORARY") as refused,
    ):
        dry_run(limited, csv_bytes(appointment()))

    assert refused.value.sqlstate == "42501"


def test_to_read_and_to_make_temporary_tables_is_all_the_right_it_needs(
    database_url: str, conn: Connection
) -> None:
    """So a role that cannot write at all may be given it."""
    run_counts(conn, csv_bytes(appointment("A")))
    grants = [f"SELECT ON {table}" for table in TABLES]

    with temporary_role(database_url, *grants) as limited:
        outcome = dry_run(limited, csv_bytes(appointment("A"), appointment("B")))

    assert outcome.counts == Counts(created=1, unchanged=1)


# --- other warehouses -----------------------------------------------------------------


def test_the_tables_may_be_in_another_schema(empty_database_url: str) -> None:
    """Warehouses have many; which one is ours is the role's search_path's business."""
    conninfo = make_conninfo(empty_database_url, options="-csearch_path=warehouse")
    data = csv_bytes(appointment("A"), appointment("B"))
    with connection.connect(conninfo) as conn:
        conn.execute("CREATE SCHEMA warehouse")
        connection.migrate(conn)
        run_counts(conn, csv_bytes(appointment("B")))
        before = state(conn)

        outcome = dry_run(conninfo, data)

        assert outcome.counts == Counts(created=1, unchanged=1)
        assert state(conn) == before


def test_columns_that_the_warehouse_added_are_no_obstacle(
    database_url: str, conn: Connection
) -> None:
    """A generated one cannot be copied as such, and a dry run used to fail on it."""
    conn.execute("""
        ALTER TABLE salespro_appointment
            ADD COLUMN note text,
            ADD COLUMN thousands numeric GENERATED ALWAYS AS (sale_amount / 1000) STORED
        """)
    run_counts(conn, csv_bytes(appointment("A")))
    conn.execute("UPDATE salespro_appointment SET note = 'mine'")
    data = csv_bytes(appointment("A", saleAmount="1"), appointment("B"))

    outcome = dry_run(database_url, data)

    assert outcome.counts == run_counts(conn, data) == Counts(created=1, updated=1)
    note = conn.execute("SELECT note FROM salespro_appointment WHERE id = 'A'")
    assert note.fetchone() == ("mine",)


def test_a_row_that_the_table_would_refuse_is_rejected_in_a_dry_run_too(
    database_url: str, conn: Connection
) -> None:
    """The shadows carry the checks of the tables."""
    conn.execute("ALTER TABLE salespro_appointment ADD CHECK (sale_amount > 0)")
    data = csv_bytes(appointment("A"), appointment("B", saleAmount="-1"))

    outcome = dry_run(database_url, data)

    assert outcome.counts == Counts(created=1, rejected=1)
    assert [reject.line for reject in outcome.rejects] == [3]


def test_of_what_was_imported_before_nothing_would_become(
    database_url: str, conn: Connection
) -> None:
    """As with the import: another delivery of it does nothing, and says so."""
    of = new_version()
    run(conn, csv_bytes(appointment()), of)

    outcome = dry_run(database_url, csv_bytes(appointment(saleAmount="2")), of)

    assert (outcome.already_imported, outcome.counts) == (True, Counts())
