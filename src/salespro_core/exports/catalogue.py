"""The exports that SalesPro sends: labels, columns and tables.

Source: files that SalesPro uploaded to production in June 2025.
"""

from __future__ import annotations

from datetime import UTC, tzinfo

from salespro_core.exports.column_types import (
    BOOLEAN,
    DATE,
    OFFICE_ID,
    address,
    identifier,
    instant,
    key,
    money,
    text,
)
from salespro_core.exports.columns import Column, Export


def catalogue(source_timezone: tzinfo = UTC) -> tuple[Export, ...]:
    """All known exports; timestamps without an offset are local to `source_timezone`."""
    timestamp = instant(source_timezone)
    appointments = Export(
        sync_type="csv_appointments",
        table="salespro_appointment",
        key="id",
        version="updated_at",
        columns=(
            # labels in the file                               column in the table
            Column("_id",                                      "id", key(50), required=True),
            Column("_created_at",                              "created_at", timestamp),
            Column("_updated_at",                              "updated_at", timestamp),
            Column("isSale",                                   "is_sale", BOOLEAN, default="f"),
            Column("resultFullString",                         "result_full_string", text()),
            Column("customer.nameLast | customerLastName",     "customer_last_name", text(100)),
            Column("customer.nameFirst | customerFirstName",   "customer_first_name", text(100)),
            Column("customer.estimateName | estimateName",     "customer_estimate_name", text(255)),
            Column("salesrep.email | salesRepEmail",           "salesrep_email", address(254)),
            Column("salesrep.nameFirst | salesRepFirstName",   "salesrep_first_name", text(100)),
            Column("salesrep.nameLast | salesRepLastName",     "salesrep_last_name", text(100)),
            Column("saleAmount",                               "sale_amount", money(12, 2)),
        ),
    )  # fmt: skip
    users = Export(
        sync_type="csv_users",
        table="salespro_users",
        key="user_object_id",
        seen_table="salespro_users_seen",
        written_at="updated_at",
        columns=(
            Column("User Object ID",               "user_object_id", key(50), required=True),
            Column("First Name",                   "first_name", text(100)),
            Column("Last Name",                    "last_name", text(100)),
            Column("Username",                     "username", address(255)),
            Column("Email",                        "email", address(254)),
            Column("Last Login",                   "last_login", DATE),
            Column("Active/Inactive",              "is_active", BOOLEAN, default="f"),
            Column("Send Credit Apps",             "send_credit_apps", BOOLEAN, default="f"),
            Column("Search Other Users Estimates", "search_other_users_estimates", BOOLEAN, default="f"),
            Column("Assigned Office",              "assigned_office", text(255)),
            Column("Assigned Office",              "office_id", OFFICE_ID),
            Column("License Number",               "license_number", text(100)),
            Column("Additional Amount",            "additional_amount", money(10, 2), default="0"),
            Column("Unique Identifier",            "unique_identifier", identifier(255)),
            Column("Job Representative ID",        "job_representative_id", identifier(50)),
        ),
    )  # fmt: skip
    return appointments, users


APPOINTMENTS, USERS = catalogue()
