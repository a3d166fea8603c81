"""Import several files: in their order, or some of them at the same time.

Files at the same time are imported by worker processes, not by threads: parsing keeps a CPU
busy, signals reach only the main thread, and a process has nothing in common with the
others but the database.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from threading import Thread

from salespro_cli.flags import name_flags
from salespro_cli.imports.one_file import ImportSettings, try_file
from salespro_cli.inputs.file_list import InputFile
from salespro_cli.inputs.sources import STDIN, open_source
from salespro_cli.output.exit_codes import FAILED
from salespro_cli.output.import_results import FileResult
from salespro_core.errors import StoreError
from salespro_core.postgres import connection
from salespro_core.records.file_reader import ExportReader
from salespro_core.records.rejects_file import Rejects

# Longer than an import takes to free its lease.
_END_S = 10
_WORKER_LOST = (
    "The process that imported this file ended without a result, probably for lack of "
    "memory. Import the file again, with fewer --jobs."
)


def import_files(
    files: Sequence[InputFile], settings: ImportSettings, jobs: int
) -> Generator[FileResult, None, None]:
    """Import the files; the results are in the order of the files.

    An interrupt ends the imports that run, and their committed rows stay.  If Postgres
    cannot be reached any more, the results end early.

    Args:
        files: in the order to import them.
        settings: the same for all files.
        jobs: how many files may be imported at a time.
    """
    independent = _independent_files(files, settings) if jobs > 1 else set()
    if len(independent) < 2:  # noqa: PLR2004 -- one file needs no second process
        for file in files:
            yield (result := _import(file, settings))
            if result.is_outage and not _is_reachable(settings.url):
                return  # each of the other files would wait for Postgres, too
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_prepare_worker)
    try:
        futures = {
            name: pool.submit(try_file, name, replace(settings, has_bar=False))
            for name in (file.name for file in files if file.name in independent)
        }
        for file in files:
            future = futures.get(file.name)
            yield _result(future, file.name) if future else _import(file, settings)
    except BaseException:
        for worker in multiprocessing.active_children():
            worker.terminate()  # it frees the lease of its import, as a command does
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _import(file: InputFile, settings: ImportSettings) -> FileResult:
    if file.problem:
        return FileResult(name=file.name, error=file.problem, code=FAILED)
    return try_file(file.name, settings)


def _result(future: Future[FileResult], name: str) -> FileResult:
    try:
        result = future.result()
    except BrokenProcessPool:
        return FileResult(name=name, error=_WORKER_LOST, code=FAILED)
    # A worker does not know which flags were given.
    outcome, error = result.outcome, result.error
    if outcome and outcome.error:
        outcome = replace(outcome, error=name_flags(outcome.error))
    return replace(result, outcome=outcome, error=error and name_flags(error))


def _is_reachable(url: str) -> bool:
    try:
        connection.connect(url).close()
    except StoreError:
        return False
    return True


def _prepare_worker() -> None:
    """Let only the first process end this worker, also by its own end."""
    # Ctrl-C would reach it, too; a second signal does not wait until the lease is free.
    os.setpgid(0, 0)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(_END_S)
        os._exit(1)  # it waits for more files


def _independent_files(
    files: Sequence[InputFile], settings: ImportSettings
) -> set[str]:
    """The files that give the same tables in any order.

    These are appointments with a time of their last change and with the same columns: the
    newest version of a row is stored, whichever comes first.  With INVALID_VALUES=null a
    version may lack a cell, and then the order decides what the row has there.
    """
    if settings.options.is_lenient:
        return set()
    columns: dict[str, tuple[str, ...]] = {}
    for file in files:
        if names := _versioned_columns(file, settings):
            columns[file.name] = names
    if not columns:
        return set()
    first = next(iter(columns.values()))
    return {name for name, names in columns.items() if names == first}


def _versioned_columns(file: InputFile, settings: ImportSettings) -> tuple[str, ...]:
    """The columns of an export that has a version; empty for any other file."""
    if file.problem or file.name == STDIN or not file.is_regular:
        return ()
    try:
        with open_source(file.name) as (_, stream), Rejects() as rejects:
            exports = settings.options.exports
            layout = ExportReader(stream, exports, rejects, is_lenient=False).layout
    except Exception:  # noqa: BLE001 -- the import of the file says why
        return ()
    names = tuple(column.name for column in layout.columns)
    return names if layout.export.version in names else ()
