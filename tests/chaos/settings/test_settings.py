"""Each setting of Postgres with several values: an import is right, or stops with an error.

To repeat one setting: SETTING=array_nulls make settings
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator

import pytest

from tests.chaos.settings.judging import Reference
from tests.chaos.settings.reliability_section import SHARES, recorded
from tests.chaos.settings.sweep import Scope, Trial, run_trial
from tests.chaos.settings.testbed import SettingsTestbed
from tests.chaos.settings.values import (
    ONE_VALUE,
    SettingRow,
    read_settings,
    values_to_try,
)

pytestmark = pytest.mark.settings

# Each value is tried as a setting of the role; every so many-th also as one of the
# database, and as one that another client of a pooler has left in the session.
SAMPLE = 12
# Another client of a pooler is likely to change these.
OFTEN_LEFT = {"role", "search_path", "DateStyle", "session_replication_role"}
# Several settings at once: how many trials, and settings in each.
COMBINATIONS, COMBINED = 20, 12
RecordProperty = Callable[[str, object], None]


def trials(rows: list[SettingRow]) -> Iterator[Trial]:
    """Yield what to try: each value of each setting, and some combinations."""
    tried = [(row, value) for row in rows for value in values_to_try(row)]
    for number, (row, value) in enumerate(tried):
        pair = ((row.name, value),)
        if row.context.endswith("backend"):
            needs_superuser = row.context == "superuser-backend"
            yield Trial(pair, Scope.CONNECTION, by_superuser=needs_superuser)
            continue
        yield Trial(pair)
        is_superuser = row.context == "superuser"
        if is_superuser and value == values_to_try(row)[0]:
            yield Trial(pair, by_superuser=True)
        if number % SAMPLE == 0:
            yield Trial(pair, Scope.DATABASE)
        if number % SAMPLE == SAMPLE // 2 or row.name in OFTEN_LEFT:
            yield Trial(pair, Scope.SESSION, by_superuser=is_superuser)
    choice = random.Random(14)
    of_roles = [
        (row.name, value) for row, value in tried if not row.context.endswith("backend")
    ]
    for _ in range(COMBINATIONS):
        chosen = dict(choice.sample(of_roles, COMBINED))
        yield Trial(tuple(chosen.items()))


def selected_trials(testbed: SettingsTestbed, share: int) -> list[Trial]:
    """The trials of this share, or those of the setting that SETTING names."""
    everything = list(trials(read_settings(testbed.admin)))
    if only := os.environ.get("SETTING"):
        everything = [trial for trial in everything if only in dict(trial.values)]
    return everything[share::SHARES]


@pytest.mark.parametrize("share", range(SHARES))
def test_import_under_any_value_of_a_setting_is_right_or_stops_with_an_error(
    settings_testbed: SettingsTestbed,
    reference: Reference,
    share: int,
    record_property: RecordProperty,
) -> None:
    """After an error, the redelivery without the setting gives the same tables."""
    findings = []
    for trial in selected_trials(settings_testbed, share):
        result = run_trial(settings_testbed, reference, trial)
        findings += [f"{trial}: {text}" for text in result.findings]
        record_property("settings", recorded(share, result))
    version = settings_testbed.admin.info.server_version // 10_000
    record_property("postgres", str(version))

    assert not findings, "\n".join(findings)


def test_sweep_has_a_value_for_each_setting(settings_testbed: SettingsTestbed) -> None:
    rows = read_settings(settings_testbed.admin)
    without = {row.name for row in rows if not values_to_try(row)}

    assert len(rows) > 150
    assert without <= ONE_VALUE
