"""Sample users have cells as in production, and join to the sample appointments."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from salespro_cli.sample_data.generator import SampleKind, appointments, users
from tests.cli.sample_data.samples import sample, seeds, user_sample

OBJECT_ID = re.compile(r"[0-9A-Za-z]{10}")
LOGIN_FORMS = (
    r"\d{4}-\d\d-\d\d",
    r"\d\d/\d\d/\d{4}",
    r"\d\d-\d\d-\d{4}",
    r"\d{4}/\d\d/\d\d",
)


@pytest.mark.parametrize("kind", ["appointments", "users"])
@seeds
def test_ids_are_ten_letters_and_digits(kind: SampleKind, seed: int) -> None:
    generated = appointments if kind == "appointments" else users

    assert all(OBJECT_ID.fullmatch(row[0]) for row in generated(500, seed))


def test_user_ids_are_unique_and_the_same_for_every_seed() -> None:
    """A sample with another seed is a later export of the same company."""
    ids = [row[0] for row in users(20_000, 1)]

    assert len(set(ids)) == 20_000
    assert ids[:254] == [row[0] for row in users(254, 2)]


def test_same_seed_gives_same_rows_and_another_seed_gives_others() -> None:
    assert sample(500, 7) == sample(500, 7)
    assert user_sample(254, 7) == user_sample(254, 7)
    assert {row["_id"] for row in sample(500, 7)}.isdisjoint(
        row["_id"] for row in sample(500, 8)
    )
    assert user_sample(254, 7) != user_sample(254, 8)


@seeds
def test_each_rep_is_a_user_with_the_same_name(seed: int) -> None:
    """The case of the email is ignored, as in the joins of appointments to users."""
    reps = {
        (
            row["salesrep.email"].lower(),
            row["salesrep.nameFirst"],
            row["salesrep.nameLast"],
        )
        for row in sample(2374, seed)
    }

    first_users = {
        (row["Email"], row["First Name"], row["Last Name"])
        for row in user_sample(254, seed + 1)[:60]
    }

    assert reps == first_users


def test_40_000_users_have_unique_emails() -> None:
    emails = [row["Email"] for row in user_sample(40_000, 1)]

    assert len(set(emails)) == 40_000
    assert all(re.fullmatch(r"[a-z.-]+\d*@example\.com", email) for email in emails)


@seeds
def test_last_login_has_every_date_form_and_is_sometimes_empty(seed: int) -> None:
    logins = [row["Last Login"] for row in user_sample(254, seed)]

    by_form = {
        form: sum(bool(re.fullmatch(form, login)) for login in logins)
        for form in LOGIN_FORMS
    }

    assert all(count > 0 for count in by_form.values())
    assert by_form[r"\d\d/\d\d/\d{4}"] > 127
    assert logins.count("") > 0
    assert sum(by_form.values()) + logins.count("") == 254


@seeds
def test_users_have_cells_as_in_a_production_export(seed: int) -> None:
    rows = user_sample(254, seed)

    offices = Counter(row["Assigned Office"] for row in rows)
    with_id = [office for office in offices if "(" in office]

    assert sum(row["Active/Inactive"] == "TRUE" for row in rows) > 220
    for label in (
        "Active/Inactive",
        "Send Credit Apps",
        "Search Other Users Estimates",
    ):
        assert {row[label] for row in rows} == {"TRUE", "FALSE"}
    assert len(with_id) == 7
    assert all(
        re.fullmatch(r"[A-Z][A-Za-z ]+ \( [0-9A-Za-z]{10} \)", name) for name in with_id
    )
    assert offices["Call Center"] > 0
    assert offices[""] > 0
    assert {"", "25.00"} < {row["Additional Amount"] for row in rows}
    assert "" in {row["License Number"] for row in rows}
    assert len({row["Unique Identifier"] for row in rows}) == 254
    assert sum(row["Job Representative ID"] != "" for row in rows) == 60
