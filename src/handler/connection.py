"""One connection to Postgres per execution environment, with the password of the hour."""

from __future__ import annotations

import json
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from psycopg import Connection
from psycopg.conninfo import make_conninfo

from handler.settings import Settings
from salespro_core import database
from salespro_core.errors import ConfigError, StoreUnavailable


class Connections:
    """Hands out connections; the one for imports is kept from invocation to invocation."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._kept: Connection | None = None

    def kept(self) -> Connection:
        """The connection of this environment: probed, and made anew if it has died.

        Raises:
            StoreUnavailable, StoreRefused, ConfigError: there is none to be had.
        """
        if self._kept is None or not database.is_alive(self._kept):
            self.close()
            self._kept = self.new()
        return self._kept

    def new(self) -> Connection:
        """A connection for one use, to be closed by the caller.

        Raises:
            StoreUnavailable, StoreRefused, ConfigError: there is none to be had.
        """
        return database.connect(conninfo(self._settings))

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
        StoreUnavailable: Secrets Manager could not be reached.
    """
    if settings.database_url is not None:
        return settings.database_url
    found = _secret(settings.secret_arn) if settings.secret_arn else {}
    host = settings.host or found.get("host")
    port = settings.port or found.get("port") or 5432
    user = settings.user or found.get("username")
    dbname = settings.dbname or found.get("dbname")
    missing = [
        name
        for name, value in (("host", host), ("username", user), ("dbname", dbname))
        if not value
    ]
    if missing:
        raise ConfigError(
            f"the secret has no {' and no '.join(missing)}: add it there, or set "
            "DB_HOST and DB_NAME beside DB_SECRET_ARN"
        )
    password = found.get("password") if settings.secret_arn else None
    if not settings.secret_arn:
        # Signed here, without a request; it is good for 15 minutes, to connect with.
        password = boto3.client("rds").generate_db_auth_token(
            DBHostname=str(host), Port=int(port), DBUsername=str(user)
        )
    return make_conninfo(
        host=host,
        port=port,
        user=user,
        dbname=dbname,
        password=password,
        sslmode=settings.ssl_mode,
        sslrootcert=settings.ssl_root_cert,
    )


def _secret(arn: str) -> dict[str, Any]:
    try:
        answer = boto3.client("secretsmanager").get_secret_value(SecretId=arn)
        found = json.loads(answer["SecretString"])
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in ("InternalServiceError", "ThrottlingException"):
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
