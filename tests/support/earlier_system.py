"""The tables of the Django application that this importer replaces, made by Django."""

# ruff: noqa: DJ008 -- these models are never printed
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import django  # type: ignore[import-untyped]
from django.apps.registry import Apps  # type: ignore[import-untyped]
from django.conf import settings  # type: ignore[import-untyped]
from django.db import connection, models  # type: ignore[import-untyped]
from psycopg.conninfo import conninfo_to_dict

LONG_AGO = datetime(2024, 12, 31, 23, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """How the tables may differ between databases.

    Attributes:
        has_big_ids: the id of the history is a bigint, Django's default since 3.2.
        has_required_texts: error_message and file_path are NOT NULL varchars with an
            empty default, as Django recommends.
    """

    has_big_ids: bool = False
    has_required_texts: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """Django's models; usable inside the `earlier_system` block that made them."""

    appointment: Any
    user: Any
    history: Any


@contextmanager
def earlier_system(conninfo: str, variant: Variant) -> Iterator[Models]:
    """Create and fill the tables in an empty database."""
    configure(conninfo)
    found = django_models(variant)
    try:
        with connection.schema_editor() as editor:
            for model in (found.appointment, found.user, found.history):
                editor.create_model(model)
        _fill(found)
        yield found
    finally:
        connection.close()


def configure(conninfo: str) -> None:
    """Point Django's default connection to this database."""
    if not settings.configured:
        settings.configure(
            DATABASES={"default": {"ENGINE": "django.db.backends.postgresql"}},
            USE_TZ=True,
            LOGGING_CONFIG=None,
        )
        django.setup()
    details = conninfo_to_dict(conninfo)
    names = {"NAME": "dbname", "HOST": "host", "PORT": "port", "USER": "user"}
    for name, keyword in {**names, "PASSWORD": "password"}.items():
        connection.settings_dict[name] = details.get(keyword, "")


def django_models(variant: Variant) -> Models:
    """Return the models of the earlier system's tables."""
    registry = Apps()
    id_field = models.BigAutoField if variant.has_big_ids else models.AutoField

    def varchar(limit: int) -> object:
        return models.CharField(max_length=limit, null=True)

    def long_text() -> object:
        return models.TextField(null=True)

    def text(limit: int) -> object:
        if variant.has_required_texts:
            return models.CharField(max_length=limit, blank=True, default="")
        return long_text()

    class Appointment(models.Model):  # type: ignore[misc]
        id = models.CharField(max_length=50, primary_key=True)
        created_at = models.DateTimeField(null=True)
        updated_at = models.DateTimeField(null=True)
        is_sale = models.BooleanField(default=False)
        result_full_string = long_text()
        customer_last_name = varchar(100)
        customer_first_name = varchar(100)
        customer_estimate_name = varchar(255)
        salesrep_email = varchar(254)
        salesrep_first_name = varchar(100)
        salesrep_last_name = varchar(100)
        sale_amount = models.DecimalField(max_digits=12, decimal_places=2, null=True)
        imported_at = models.DateTimeField(auto_now_add=True)

        class Meta:
            apps = registry
            app_label = "salespro"
            db_table = "salespro_appointment"

    class User(models.Model):  # type: ignore[misc]
        user_object_id = models.CharField(max_length=50, primary_key=True)
        first_name = varchar(100)
        last_name = varchar(100)
        username = varchar(255)
        email = varchar(254)
        last_login = models.DateField(null=True)
        is_active = models.BooleanField(default=False)
        send_credit_apps = models.BooleanField(default=False)
        search_other_users_estimates = models.BooleanField(default=False)
        assigned_office = varchar(255)
        office_id = varchar(50)
        license_number = varchar(100)
        additional_amount = models.DecimalField(
            max_digits=10, decimal_places=2, null=True, default=0
        )
        unique_identifier = varchar(255)
        job_representative_id = varchar(50)
        created_at = models.DateTimeField(auto_now_add=True)
        updated_at = models.DateTimeField(auto_now=True)

        class Meta:
            apps = registry
            app_label = "salespro"
            db_table = "salespro_users"

    class SyncHistory(models.Model):  # type: ignore[misc]
        id = id_field(primary_key=True)
        sync_type = models.CharField(max_length=50)
        started_at = models.DateTimeField()
        completed_at = models.DateTimeField(null=True)
        status = models.CharField(max_length=20)
        records_processed = models.IntegerField(default=0)
        records_created = models.IntegerField(default=0)
        records_updated = models.IntegerField(default=0)
        error_message = text(500)
        file_path = text(100)

        class Meta:
            apps = registry
            app_label = "salespro"
            db_table = "salespro_sync_history"

    return Models(appointment=Appointment, user=User, history=SyncHistory)


def _fill(found: Models) -> None:
    found.appointment.objects.bulk_create(
        found.appointment(
            id=f"A-{i}",
            created_at=LONG_AGO,
            updated_at=LONG_AGO,
            is_sale=i % 2 == 0,
            customer_last_name="O'Brien",
            sale_amount=Decimal("12.50"),
        )
        for i in range(3)
    )
    found.user.objects.create(user_object_id="U-0", email="Ann.Lee@example.com")
    found.history.objects.create(
        sync_type="csv_appointments",
        started_at=LONG_AGO,
        completed_at=LONG_AGO,
        status="completed",
        records_processed=5,
        records_created=3,
        records_updated=1,
        file_path="exports/SalesPro2024-12-31.csv",
    )
    found.history.objects.create(
        sync_type="csv_users",
        started_at=LONG_AGO,
        status="failed",
        error_message="could not connect",
        file_path="exports/users.csv",
    )
