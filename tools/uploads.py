"""The object keys of the sample events, and the sample export for each."""

from __future__ import annotations

from typing import Final

# Object key -> file in events/.
FILES: Final = {
    "SalesPro2025-06-18.csv": "SalesPro2025-06-18.csv",
    "june exports/Müller + Söhne 2025-06-18.csv": "SalesPro2025-06-18.csv",
    "dryrun/SalesPro2025-06-18.csv": "SalesPro2025-06-18.csv",
    "Combined_Active_Users.csv": "Combined_Active_Users.csv",
}
