"""Failed connections become StoreUnavailable or StoreRefused, by SQLSTATE where there is one.

`tests/tls/test_connection_errors.py` has the errors of a real server, and
`tests/chaos/poolers/test_pooler_errors.py` those of PgBouncer.  Here are those of other
poolers and of libpq, and texts without SQLSTATE.
"""

from __future__ import annotations

from itertools import permutations

import psycopg
import pytest

from salespro_core.errors import StoreError, StoreRefused, StoreUnavailable
from salespro_core.postgres import connection
from salespro_core.postgres.connecting.connect_errors import (
    connect_errors,
    connect_sqlstate,
)

PRIVATE = "Garcia"  # a role or a password, which must not appear in any message
ROLE = "Postgres refused the role or its password: check DATABASE_URL or the secret."
LOGIN = "The role does not exist or may not log in"
HBA_ENTRY = "check pg_hba.conf and sslmode"
FULL = "no connection is free"
CLOSED = "Postgres accepts no connections now"
NO_DATABASE = "The database does not exist"
LOGIN_FAILS = "server login has been failing, cached error:"
PARAMETER = "check `options` in DATABASE_URL"


def mapped(*texts: str) -> StoreError:
    """Map the error of libpq whose attempts have these texts."""
    prefix = 'connection to server at "db" (10.0.0.1), port 5432 failed: '
    text = "\n".join(prefix + each for each in texts)
    error = psycopg.OperationalError(f"connection failed: {text}")
    with pytest.raises(StoreError) as raised, connect_errors(" at db:5432"):
        raise error
    assert isinstance(raised.value, StoreRefused | StoreUnavailable)
    assert raised.value.sqlstate == connect_sqlstate(error)
    assert str(raised.value).startswith("While connecting to Postgres at db:5432: ")
    assert PRIVATE not in str(raised.value)
    return raised.value


# --- poolers --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "sqlstate", "message"),
    [
        # PgBouncer
        ("08P01: no such user", "28P01", ROLE),
        ("08P01: SASL authentication failed", "28P01", ROLE),
        ("08P01: PAM authentication failed", "28P01", ROLE),
        ("08P01: login rejected", "28P01", ROLE),
        ("08P01: empty password returned by client", "28P01", ROLE),
        (f"08P01: no such database: {PRIVATE}", "3D000", NO_DATABASE),
        ("08P01: no authentication method is found", "28000", HBA_ENTRY),
        ("08P01: SSL required", "28000", HBA_ENTRY),
        ("08P01: unsupported startup parameter: options", "0A000", PARAMETER),
        ("08P01: bouncer config error", "F0000", "its log says where"),
        (
            f'08P01: {LOGIN_FAILS} database "{PRIVATE}" does not exist',
            "3D000",
            NO_DATABASE,
        ),
        ('28000: no pg_hba.conf entry for host "10.0.0.9"', "28000", HBA_ENTRY),
        (f'28000: role "{PRIVATE}" is not permitted to log in', "28000", LOGIN),
        # pgcat
        (f'28P01: password authentication failed for user "{PRIVATE}"', "28P01", ROLE),
        (f"58000: No pool configured for database: {PRIVATE}", "3D000", NO_DATABASE),
        # RDS Proxy
        (f"28000: This RDS proxy has no credentials for the role {PRIVATE}. Check", "28000", LOGIN),
        (f"28000: The password that was provided for the role {PRIVATE} is wrong.", "28P01", ROLE),
        (f"28000: The IAM authentication failed for the role {PRIVATE}. Check", "28P01", ROLE),
        ("28000: This RDS Proxy requires TLS connections.", "28000", HBA_ENTRY),
        ("28000: IAM authentication is allowed only with SSL connections.", "28000", HBA_ENTRY),
        (
            "0A000: RDS Proxy currently doesn't support command-line options.",
            "0A000",
            PARAMETER,
        ),
        # Supavisor
        ("XX000: Tenant or user not found", "28000", LOGIN),
    ],
)  # fmt: skip
def test_error_of_a_pooler_that_a_retry_does_not_fix_is_refused(
    text: str, sqlstate: str, message: str
) -> None:
    """Poolers have one SQLSTATE for many errors, so their words decide."""
    error = mapped(f"FATAL:  {text}")

    assert isinstance(error, StoreRefused)
    assert error.sqlstate == sqlstate
    assert message in str(error)


@pytest.mark.parametrize(
    ("text", "sqlstate", "message"),
    [
        # PgBouncer
        ("08P01: no more connections allowed (max_client_conn)", "53300", FULL),
        ("08P01: client connections exceeded (max_db_client_connections)", "53300", FULL),
        ('08P01: database "sales" is disabled', "57P03", CLOSED),
        ("08P01: pgbouncer is shutting down", "57P03", CLOSED),
        ("08P01: server shutting down", "57P03", CLOSED),
        ("08P01: query_wait_timeout", "08P01", "the pooler before it failed"),
        ("08P01: client_login_timeout (server down)", "08P01", "the pooler before it failed"),
        (
            f"08P01: {LOGIN_FAILS} connect failed",
            "08P01",
            "the pooler before it failed",
        ),
        (
            f"08P01: {LOGIN_FAILS} the database system is starting up",
            "57P03",
            CLOSED,
        ),
        # pgcat
        ("58000: could not get connection from the pool", "53300", FULL),
        ("58000: All servers are down", "58000", "the pooler before it failed"),
        # RDS Proxy
        ("08006: Timed-out waiting to acquire database connection.", "53300", FULL),
        ("28000: The IAM authentication failed because of too many competing requests.", "53300", FULL),
        ("08004: The maximum number of client connections to the proxy exceeded 5.", "53300", FULL),
        # Supavisor
        ("XX000: Max client connections reached", "53300", FULL),
        ("XX000: {:badmatch}", "XX000", "the pooler before it failed"),
    ],
)  # fmt: skip
def test_error_of_a_pooler_that_may_pass_is_retryable(
    text: str, sqlstate: str, message: str
) -> None:
    error = mapped(f"FATAL:  {text}")

    assert isinstance(error, StoreUnavailable)
    assert error.sqlstate == sqlstate
    assert message in str(error)


# --- several errors -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("texts", "sqlstate", "error"),
    [
        pytest.param(
            [
                "FATAL:  28P01: wrong\nLOCATION:  auth_failed, auth.c:1",
                "FATAL:  28000: no entry\nLOCATION:  ClientAuthentication, auth.c:1",
            ],
            "28P01",
            StoreRefused,
            id="tls-then-plain",
        ),
        pytest.param(
            ["FATAL:  28P01: wrong", "FATAL:  57P03: starting"],
            "57P03",
            StoreUnavailable,
            id="one-host-starts",
        ),
        pytest.param(
            ["Connection refused", "FATAL:  28P01: wrong"],
            "28P01",
            StoreRefused,
            id="nothing-listens-on-ipv6",
        ),
        pytest.param(
            ["server does not support SSL, but SSL was required", "FATAL:  57P03: no"],
            "57P03",
            StoreUnavailable,
            id="one-host-without-tls",
        ),
    ],
)
def test_of_several_errors_the_most_telling_decides_in_any_order(
    texts: list[str], sqlstate: str, error: type[StoreError]
) -> None:
    for order in permutations(texts):
        raised = mapped(*order)

        assert type(raised) is error
        assert connect_sqlstate(raised.__cause__) == sqlstate  # type: ignore[arg-type]


# --- errors without an SQLSTATE -------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "sqlstate", "message"),
    [
        (f'FATAL:  password authentication failed for user "{PRIVATE}"', "28P01", ROLE),
        (f'FATAL:  role "{PRIVATE}" does not exist', "28000", LOGIN),
        (f'FATAL:  role "{PRIVATE}" is not permitted to log in', "28000", LOGIN),
        (f'FATAL:  no pg_hba.conf entry for user "{PRIVATE}"', "28000", HBA_ENTRY),
        ('FATAL:  database "sales" does not exist', "3D000", NO_DATABASE),
        ('FATAL:  permission denied for database "sales"', "42501", "see the grants"),
        ('FATAL:  cannot connect to invalid database "sales"', "55000", "is invalid"),
        ('FATAL:  unrecognized configuration parameter "x"', "0A000", PARAMETER),
        ("fe_sendauth: no password supplied", None, ROLE),
        ("server does not support SSL, but SSL was required", None, "not support TLS"),
        ('root certificate file "x" does not exist', None, "run `make certificates`"),
        (
            'server certificate for "a" (and 1 other name) does not match host name "b"',
            None,
            "for another host",
        ),
        ("SSL error: certificate verify failed", None, "has expired, or its issuer"),
        ("SSL error: tlsv1 alert protocol version", None, "no TLS version or cipher"),
        (
            'authentication method requirement "md5" failed: server requested SASL',
            None,
            "than require_auth",
        ),
        ('invalid sslmode value: "x"', None, "libpq does not accept a value"),
        ('definition of service "user" not found', None, "does not accept a value"),
    ],
)  # fmt: skip
def test_permanent_error_without_sqlstate_is_refused_by_its_words(
    text: str, sqlstate: str | None, message: str
) -> None:
    """Libpq's own errors, and those of servers where its error level cannot be set."""
    error = mapped(text)

    assert isinstance(error, StoreRefused)
    assert error.sqlstate == sqlstate
    assert message in str(error)


@pytest.mark.parametrize(
    ("text", "sqlstate", "message"),
    [
        ("FATAL:  sorry, too many clients already", "53300", FULL),
        ("FATAL:  remaining connection slots are reserved", "53300", FULL),
        ("FATAL:  the database system is starting up", "57P03", CLOSED),
        (
            'FATAL:  database "sales" is not currently accepting connections',
            "57P03",
            CLOSED,
        ),
        ("Connection refused", None, "check the host, the port and the network"),
        ("server closed the connection unexpectedly", None, "check the host"),
        ("SSL SYSCALL error: EOF detected", None, "check the host"),
        ("could not fork new process for connection", None, "check the host"),
        ("session is read-only", None, "check target_session_attrs"),
        ("server is in hot standby mode", None, "check target_session_attrs"),
    ],
)
def test_passing_error_without_sqlstate_is_retryable(
    text: str, sqlstate: str | None, message: str
) -> None:
    error = mapped(text)

    assert isinstance(error, StoreUnavailable)
    assert error.sqlstate == sqlstate
    assert message in str(error)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Connection refused", "connection refused: nothing listens on this port"),
        (
            "failed to resolve host 'db': [Errno -2] Name or service not known",
            "unknown host: DNS has no address for this name",
        ),
        (
            'could not translate host name "db" to address: No address associated',
            "unknown host: DNS has no address for this name",
        ),
        (
            "failed to resolve host 'db': [Errno 8] nodename nor servname provided",
            "unknown host: DNS has no address for this name",
        ),
        (
            "failed to resolve host 'db': [Errno -3] Temporary failure in name resolution",
            "the name server does not answer",
        ),
        ("connection timeout expired", "no answer in time"),
        (
            "could not receive data from server: Connection timed out",
            "no answer in time",
        ),
        ("No route to host", "no route to this host"),
        ("Network is unreachable", "no route to this host"),
        ("No such file or directory", "no server has this socket"),
        (
            "received invalid response to SSL negotiation: H",
            "another service than Postgres answers on this port",
        ),
        (
            "expected authentication request from server, but received H",
            "another service than Postgres answers on this port",
        ),
        (
            "- host: 'a': Connection refused\n- host: 'b': connection timeout expired",
            "connection refused: nothing listens on this port; no answer in time",
        ),
    ],
)
def test_host_that_does_not_answer_is_named_with_the_reason(
    text: str, reason: str
) -> None:
    error = mapped(text)

    assert isinstance(error, StoreUnavailable)
    assert f"Postgres could not be reached ({reason}). A retry may" in str(error)


def test_host_that_is_no_name_is_refused() -> None:
    """Python's resolver raises a UnicodeError for it, which psycopg does not map."""
    with pytest.raises(StoreRefused, match="The host is not a valid name"):
        connection.connect(f"host=db..example.com user=me password={PRIVATE}")


@pytest.mark.parametrize("password", [f"p@{PRIVATE}", f"p/{PRIVATE}"])
def test_password_that_is_not_percent_encoded_is_refused_without_quoting_it(
    password: str,
) -> None:
    """Libpq takes a part of it for the host, which could "not be reached"."""
    with pytest.raises(StoreRefused, match="percent-encode") as refused:
        connection.connect(f"postgresql://me:{password}@db.invalid/sales")

    assert PRIVATE not in str(refused.value)
    assert refused.value.__cause__ is None


def test_unknown_sqlstate_is_refused_with_a_reference_to_the_log() -> None:
    """A login trigger of Postgres 17 can raise any error."""
    error = mapped(f"FATAL:  P0001: {PRIVATE}\nLOCATION:  exec_stmt_raise, pl_exec.c:1")

    assert isinstance(error, StoreRefused)
    assert str(error) == (
        "While connecting to Postgres at db:5432: Postgres refused the connection. "
        "The server's log has the details. SQLSTATE P0001."
    )
