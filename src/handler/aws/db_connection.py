"""Connections to Postgres, with a password from the settings, a secret or an IAM token."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from psycopg import Connection
from psycopg.conninfo import make_conninfo

from handler.aws.error_codes import Cause
from handler.aws.errors import failure_of
from handler.aws.s3_object import CLIENT_CONFIG
from handler.settings import Settings
from salespro_core.errors import ConfigError, StoreRefused, StoreUnavailable
from salespro_core.postgres import connection
from salespro_core.postgres.connection import CONNECT_TIMEOUT_S

DEFAULT_PORT: Final = 5432
# Field of the secret -> the setting that can supply it instead.
_SETTING_OF_FIELD: Final = {"host": "DB_HOST", "dbname": "DB_NAME"}


class Connections:
    """Opens connections; caches one for imports across invocations."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._cached: Connection | None = None

    def cached(self, *, timeout_s: float = CONNECT_TIMEOUT_S) -> Connection:
        """The cached connection: probed, and replaced if it does not answer.

        Args:
            timeout_s: limit for opening a new connection.

        Raises:
            StoreUnavailable, StoreRefused, ConfigError: no connection could be opened.
        """
        if self._cached is None or not connection.is_alive(self._cached):
            self.close()
            self._cached = self.connect(timeout_s=timeout_s)
        return self._cached

    def connect(self, *, timeout_s: float = CONNECT_TIMEOUT_S) -> Connection:
        """Open a connection that the caller closes.

        The password may be rotated between reading and using it.  If Postgres refuses the
        connection, the password is read again, and used if it has changed.

        Args:
            timeout_s: limit for each attempt to connect.

        Raises:
            StoreUnavailable, StoreRefused, ConfigError: no connection could be opened.
        """
        first = conninfo(self._settings)
        try:
            return connection.connect(first, timeout_s=timeout_s)
        except StoreRefused:
            second = conninfo(self._settings)
            if second == first:
                raise
            return connection.connect(second, timeout_s=timeout_s)

    def close(self) -> None:
        """Close the cached connection."""
        if self._cached is not None:
            self._cached.close()
            self._cached = None


def conninfo(settings: Settings) -> str:
    """The connection string for libpq.

    The secret is read, or the token signed, at each call, so that each new connection uses
    the current password.

    Raises:
        ConfigError: the secret is incomplete, malformed or not readable, or the AWS
            configuration is wrong.
        StoreUnavailable: Secrets Manager could not be reached, or no AWS credentials were
            found to sign a token.
    """
    if settings.database_url is not None:
        return settings.database_url
    given: dict[str, Any] = {
        "host": settings.host,
        "port": settings.port,
        "dbname": settings.dbname,
        "username": settings.user,
    }
    fields = {name: value for name, value in given.items() if value}
    if settings.secret_arn:
        fields = _read_secret(settings.secret_arn) | fields
        _check_complete(fields)
    else:
        fields["password"] = _iam_token(fields)
    return make_conninfo(
        host=fields["host"],
        port=fields.get("port") or DEFAULT_PORT,
        dbname=fields["dbname"],
        user=fields["username"],
        password=fields["password"],
        sslmode=settings.ssl_mode,
        sslrootcert=settings.ssl_root_cert,
    )


def _check_complete(fields: Mapping[str, Any]) -> None:
    """Raise a ConfigError if neither the secret nor the settings have a required field."""
    required = ("host", "dbname", "username", "password")
    missing = [name for name in required if not fields.get(name)]
    if missing:
        settings = [_SETTING_OF_FIELD[n] for n in missing if n in _SETTING_OF_FIELD]
        raise ConfigError(
            f"the secret of DB_SECRET_ARN has no {' and no '.join(missing)}: "
            "add what is missing to the secret"
            + (f", or set {' and '.join(settings)}" if settings else "")
        )


def _iam_token(fields: Mapping[str, Any]) -> str:
    """Sign an IAM token, the password for connections in the next 15 minutes."""
    try:
        # Signed locally: no request is sent.
        token = boto3.client("rds").generate_db_auth_token(
            DBHostname=fields["host"],
            Port=fields.get("port") or DEFAULT_PORT,
            DBUsername=fields["username"],
        )
    except BotoCoreError as error:
        failure = failure_of(error, "rds-db:connect")
        problem = f"No IAM token could be made for Postgres ({failure.code})"
        if failure.cause is Cause.PASSING:
            raise StoreUnavailable(f"{problem}.") from error
        raise ConfigError(f"{problem}: {failure.fix}") from error
    return str(token)


def _read_secret(arn: str) -> dict[str, Any]:
    try:
        client = boto3.client("secretsmanager", config=CLIENT_CONFIG)
        secret = json.loads(client.get_secret_value(SecretId=arn)["SecretString"])
    except (ClientError, BotoCoreError) as error:
        failure = failure_of(error, "secretsmanager:GetSecretValue on the secret")
        if failure.cause is not Cause.PASSING:
            raise ConfigError(
                f"the secret of DB_SECRET_ARN could not be read ({failure.code}): "
                f"{failure.fix}"
            ) from error
        if isinstance(error, ClientError):
            raise StoreUnavailable(
                f"Secrets Manager answered {failure.code}."
            ) from error
        raise StoreUnavailable(
            f"Secrets Manager could not be reached ({failure.code}); {failure.fix}."
        ) from error
    except (KeyError, ValueError):
        # from None: the JSON error holds the secret.
        raise ConfigError("the secret of DB_SECRET_ARN is not JSON text") from None
    if not isinstance(secret, dict):
        raise ConfigError("the secret of DB_SECRET_ARN is not a JSON object")
    return secret
