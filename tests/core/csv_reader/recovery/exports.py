"""Headers of small exports, and a function that reads one."""

from __future__ import annotations

import io

from salespro_core.exports.catalogue import APPOINTMENTS, USERS
from salespro_core.model.rejects import Record, Reject
from salespro_core.records.file_reader import ExportReader
from salespro_core.records.rejects_file import Rejects
from tests.support.builders import items_of

DATE = "2025-06-06T00:16:45.538Z"
WIDE = (
    "_id,_created_at,_updated_at,isSale,resultFullString,customer.nameLast,saleAmount"
)
NARROW = "_id,resultFullString,customer.nameLast"
AMOUNT = "_id,resultFullString,saleAmount"
USER = "User Object ID,First Name,Last Name"


def read(
    body: bytes, *, is_lenient: bool = False
) -> tuple[list[str | None], list[Reject], str]:
    """The ids of the records, the rejects, and the text of the rejects file."""
    with Rejects() as rejects:
        reader = ExportReader(
            io.BytesIO(body), (APPOINTMENTS, USERS), rejects, is_lenient=is_lenient
        )
        items = items_of(reader)
        file = rejects.open()
        text = file.read().decode() if file else ""
    ids = [item.values[0] for item in items if isinstance(item, Record)]
    return ids, [item for item in items if isinstance(item, Reject)], text
