"""One connection to Postgres per execution environment, with the password of the hour."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from psycopg import Connection
from psycopg.conninfo import make_conninfo

from handler.aws.s3_object import CLIENT
from handler.settings import Settings
from salespro_core.errors import ConfigError, StoreRefused, StoreUnavailable
from salespro_core.postgres import connection
from salespro_core.postgres.connection import CONNECT_TIMEOUT_S

DEFAULT_PORT: Final = 5432
# What else may have that part of a secret.
_SETTINGS: Final = {"host": "DB_HOST", "dbname": "DB_NAME"}


class Connections:
    """Hands out connections; the one for imports is kept from invocation to invocation."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._kept: Connection | None = None

    def kept(self, *, timeout_s: float = CONNECT_TIMEOUT_S) -> Connection:
        """The connection of this environment: probed, and made anew if it has died.

        Args:
            timeout_s: for as long Postgres may take to answer.

        Raises:
            StoreUnavailable, StoreRefused, ConfigError: there is none to be had.
        """
        if self._kept is None or not connection.is_alive(self._kept):
            self.close()
            self._kept = self.new(timeout_s=timeout_s)
        return self._kept

    def new(self, *, timeout_s: float = CONNECT_TIMEOUT_S) -> Connection:
        """A connection for one use, to be closed by the caller.

        A password may have been rotated between reading it and using it.  So one that is
        refused is fetched once more, and used if it is another by now.

        Raises:
            StoreUnavailable, StoreRefused, ConfigError: there is none to be had.
        """
        known = conninfo(self._settings)
        try:
            return connection.connect(known, timeout_s=timeout_s)
        except StoreRefused:
            by_now = conninfo(self._settings)
            if by_now == known:
                raise
            return connection.connect(by_now, timeout_s=timeout_s)

    def close(self) -> None:
        """Close what is kept."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None


def conninfo(settings: Settings) -> str:
    """What libpq connects with; a secret or a token is fetched anew at each call.

    That a password was rotated is thus seen at the next connection.

    Raises:
        ConfigError: the secret lacks something, or may not be read.
        StoreUnavailable: Secrets Manager could not be reached, or there are no
            credentials to sign a token with.
    """
    if settings.database_url is not None:
        return settings.database_url
    known: dict[str, Any] = {
        "host": settings.host,
        "port": settings.port,
        "dbname": settings.dbname,
        "username": settings.user,
    }
    known = {name: value for name, value in known.items() if value}
    if settings.secret_arn:
        known = _secret(settings.secret_arn) | known
        _check(known)
    else:
        known["password"] = _token(known)
    return make_conninfo(
        host=known["host"],
        port=known.get("port") or DEFAULT_PORT,
        dbname=known["dbname"],
        user=known["username"],
        password=known["password"],
        sslmode=settings.ssl_mode,
        sslrootcert=settings.ssl_root_cert,
    )


def _check(known: Mapping[str, Any]) -> None:
    """Refuse a secret that lacks what the settings do not have either."""
    needed = ("host", "dbname", "username", "password")
    missing = [name for name in needed if not known.get(name)]
    if missing:
        settings = [_SETTINGS[name] for name in missing if name in _SETTINGS]
        raise ConfigError(
            f"the secret of DB_SECRET_ARN has no {' and no '.join(missing)}: "
            "add what is missing there"
            + (f", or set {' and '.join(settings)}" if settings else "")
        )


def _token(known: Mapping[str, Any]) -> str:
    """A password made of our own credentials, good for 15 minutes to connect with."""
    try:
        # Signed here, without a request.
        token = boto3.client("rds").generate_db_auth_token(
            DBHostname=known["host"],
            Port=known.get("port") or DEFAULT_PORT,
            DBUsername=known["username"],
        )
    except BotoCoreError as error:
        raise StoreUnavailable(
            f"No IAM token could be made for Postgres ({type(error).__name__})."
        ) from error
    return str(token)


def _secret(arn: str) -> dict[str, Any]:
    try:
        client = boto3.client("secretsmanager", config=CLIENT)
        found = json.loads(client.get_secret_value(SecretId=arn)["SecretString"])
    except ClientError as error:
        code = error.response["Error"]["Code"]
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or code == "ThrottlingException":
            raise StoreUnavailable(f"Secrets Manager answered {code}.") from error
        raise ConfigError(
            f"the secret of DB_SECRET_ARN could not be read ({code}): check the ARN and "
            "that the function's role may call secretsmanager:GetSecretValue on it"
        ) from error
    except BotoCoreError as error:
        raise StoreUnavailable(
            f"Secrets Manager could not be reached ({type(error).__name__}); "
            "in a VPC it needs an endpoint or a NAT gateway."
        ) from error
    except (KeyError, ValueError):
        # from None: the JSON error carries the secret.
        raise ConfigError("the secret of DB_SECRET_ARN is not JSON text") from None
    if not isinstance(found, dict):
        raise ConfigError("the secret of DB_SECRET_ARN is not a JSON object")
    return found
