"""The action `{"action": "undo", "import": 7}`: take back what an import did.

Only who may invoke the function can send it: the payload of a queue or of an upload has
its messages in `Records`, and no message is read as an action.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any

import boto3

from handler.aws.db_connection import Connections
from handler.aws.report_store import put_report
from handler.aws.s3_object import CLIENT_CONFIG
from handler.settings import Settings
from salespro_core.errors import OutOfTime, SalesProError
from salespro_core.importer.callbacks import ImportCallbacks
from salespro_core.importer.undo import dry_run_undo, undo_import
from salespro_core.model.outcome import Outcome
from salespro_core.records.rejects_file import Rejects
from salespro_core.report.folder_names import bucket_folder
from salespro_core.report.undo_words import next_step_after_undo, verdict_of_undo

# For the report and the completion.
_RESERVE_S = 10.0
# Of the event; `actions.py` reads the first and the last.
_FIELDS = frozenset({"action", "import", "dry_run", "scheduled"})
_FORM = 'Invoke with {"action": "undo", "import": 7}, and optionally "dry_run": true.'


def undo(event: Mapping[str, Any], remaining_s: Callable[[], float]) -> dict[str, Any]:
    """Undo the import of an event, or report what would be undone.

    Args:
        event: has `import`, the number of the import; `dry_run` to change nothing.
        remaining_s: seconds until the function's timeout.

    Returns:
        The answer, with the counts and the location of the report, and without a cell.
    """
    import_id, is_dry_run = event.get("import"), event.get("dry_run", False)
    if not (
        # type(): isinstance() accepts a bool as an int.
        type(import_id) is int
        and 0 < import_id < 2**63
        and isinstance(is_dry_run, bool)
        # An unknown field may be a misspelt `dry_run`.
        and event.keys() <= _FIELDS
    ):
        return _failure(
            "Nothing was undone: the event does not have the form of an undo.", _FORM
        )
    reports: list[str] = []
    try:
        settings = Settings.from_env(os.environ)
        s3 = boto3.client("s3", config=CLIENT_CONFIG)

        def publish(outcome: Outcome, rejects: Rejects) -> str:
            name = outcome.upload.object_key.replace(" ", "-")
            folder = bucket_folder(
                f"dryrun/{name}" if is_dry_run else name, outcome.upload.version or ""
            )
            reports.append(
                put_report(s3, settings.report_bucket, folder, outcome, rejects)
            )
            return reports[-1]

        with closing(Connections(settings).connect()) as conn:
            outcome = (dry_run_undo if is_dry_run else undo_import)(
                conn,
                import_id,
                options=settings.options,
                callbacks=ImportCallbacks(
                    publish=publish, remaining_s=lambda: remaining_s() - _RESERVE_S
                ),
            )
    except OutOfTime as error:
        if is_dry_run:
            return _failure(f"There is no result. {error}", "Or raise the timeout.")
        return _failure(
            f"The undo is not complete. {error}", "Invoke the function with it again."
        )
    except SalesProError as error:
        return _failure(
            f"The undo stopped. {error}",
            "Correct this and run the action again: what is undone stays undone.",
        )
    counts = outcome.counts
    return {
        "action": "undo",
        "ok": True,
        "says": f"{verdict_of_undo(outcome)} {next_step_after_undo(outcome)}",
        "import": import_id,
        "dry_run": is_dry_run,
        "restored": counts.updated,
        "deleted": counts.deleted,
        # Not `created`: a log record has an attribute of this name.
        "created_again": counts.created,
        "unchanged": counts.unchanged,
        "left": counts.left,
        "report": reports[-1] if reports else None,
    }


def _failure(says: str, remedy: str) -> dict[str, Any]:
    return {"action": "undo", "ok": False, "says": says, "remedy": remedy}
