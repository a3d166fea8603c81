"""The command `salespro`: the importer at a terminal.

In: arguments and environment variables; out: text or JSON, and an exit code.
May import: `salespro_core`, `handler.aws`, `handler.events`, `handler.admin.reconcile`;
`sandbox/function.py` alone also `handler.app`.
Start at `main.py`; each command is a module of `commands/`.
"""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path


def _find_function() -> None:
    """Make `handler` the package of the function, whatever else has that name.

    The wheel has it as `salespro_handler`, since other packages are called `handler`, too. In
    the source tree the folder must have the name that Lambda imports, and a `handler.py` in
    the current folder would come first with `python -m salespro_cli`.
    """
    packages = Path(__file__).parents[1]
    installed = packages / "salespro_handler"
    folder = installed if installed.is_dir() else packages / "handler"
    spec = spec_from_file_location(
        "handler", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    if "handler" not in sys.modules and spec and spec.loader:
        sys.modules["handler"] = package = module_from_spec(spec)
        spec.loader.exec_module(package)


_find_function()
