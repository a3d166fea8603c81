"""Formats that people rename to .csv, recognised by their first bytes."""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Iterator

from salespro_core.csv_reader.decoding.wrapped_text import wrapping
from salespro_core.errors import UnreadableObject

_ASCII = bytes(range(0x80))

_OPEN = "open it and export the list as CSV"
_EXPORT = "export the list as CSV instead"
_UNPACK = "unpack it and upload the CSV file, plain or as .gz"
_DOWNLOAD = "download the export again"
_DECODE = "decode it and upload the CSV file, plain or as .gz"
_DECRYPT = "decrypt it and upload the CSV file"

# File signatures: (offset, bytes, format, remedy).
# Sources: the magic database of file(1); the specifications of Parquet, Avro, Arrow, ORC,
# SQLite, zstd, LZ4 and xz; RFC 9580.
SIGNATURES = (
    (0, b"BZh", "a bzip2 file", _UNPACK),
    (0, b"\xfd7zXZ\0", "an xz file", _UNPACK),
    (0, b"\x5d\0\0", "an LZMA file", _UNPACK),
    (0, b"\x28\xb5\x2f\xfd", "a zstd file", _UNPACK),
    *((0, bytes((n, 0x2A, 0x4D, 0x18)), "a zstd or LZ4 file", _UNPACK) for n in range(0x50, 0x60)),
    (0, b"\x04\x22\x4d\x18", "an LZ4 file", _UNPACK),
    (0, b"\x02\x21\x4c\x18", "an LZ4 file", _UNPACK),
    (0, b"\xff\x06\0\0sNaPpY", "a Snappy file", _UNPACK),
    (0, b"\x1f\x9d", "a compress (.Z) file", _UNPACK),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (0, b"Rar!\x1a\x07", "a RAR archive", _UNPACK),
    (257, b"ustar", "a tar archive", _UNPACK),
    (0, b"PAR1", "a Parquet file", _EXPORT),
    (0, b"PARE", "an encrypted Parquet file", _EXPORT),
    (0, b"Obj\x01", "an Avro file", _EXPORT),
    (0, b"ARROW1", "an Arrow or Feather file", _EXPORT),
    (0, b"\xff\xff\xff\xff", "an Arrow stream", _EXPORT),
    (0, b"FEA1", "a Feather file", _EXPORT),
    (0, b"ORC", "an ORC file", _EXPORT),
    (0, b"SQLite format 3\0", "a SQLite database", _EXPORT),
    (0, b"\x89PNG", "a PNG image", _EXPORT),
    (0, b"\xff\xd8\xff", "a JPEG image", _EXPORT),
    (0, b"GIF87a", "a GIF image", _EXPORT),
    (0, b"GIF89a", "a GIF image", _EXPORT),
    (8, b"WEBP", "a WebP image", _EXPORT),
    (0, b"BM", "a BMP image", _EXPORT),
    (0, b"II*\0", "a TIFF image", _EXPORT),
    (0, b"MM\0*", "a TIFF image", _EXPORT),
    (4, b"ftyp", "a HEIC image or a video", _EXPORT),
    (0, b"\x7fELF", "a program", _EXPORT),
    (0, b"MZ", "a program", _EXPORT),
    (0, b"\0\x05\x16\x07", "an AppleDouble file of macOS (._NAME)", "upload the file itself"),
    (0, b"\0\0\0\x01Bud1", "a .DS_Store file of macOS", _EXPORT),
    (0, b"L\0\0\0\x01\x14\x02\0", "a Windows shortcut", "upload the file itself"),
    (0, b"OggS", "an Ogg file", _EXPORT),
    (0, b"PK\x07\x08", "a part of a zip archive", _UNPACK),
    (0, b"\x09\x08\x10\0", "an old Excel workbook", _OPEN),
    (0, b"\x09\x08\x08\0", "an old Excel workbook", _OPEN),
    (0, b"\x09\x04\x06\0", "an old Excel workbook", _OPEN),
    (0, b"PK\x05\x06", "an empty zip archive", "export the list as CSV"),
    (0, b"PGDMP", "a dump of a Postgres database", _EXPORT),
    (0, b"\x1f\xef\xbf\xbd\x08", "a gzip file that was read as text and so is broken", _DOWNLOAD),
    (0, b"\x1f\xc2\x8b\x08", "a gzip file that was read as text and so is broken", _DOWNLOAD),
    (0, b"LZIP", "an lzip file", _UNPACK),
    (0, b"\x89LZO\0", "an lzop file", _UNPACK),
    (0, b"MSCF", "a cabinet archive", _UNPACK),
    (0, b"xar!", "a xar archive", _UNPACK),
    (0, b"!<arch>", "an ar archive", _UNPACK),
    (0, b"070701", "a cpio archive", _UNPACK),
    (0, b"070707", "a cpio archive", _UNPACK),
    (0, b"Salted__", "a file encrypted with OpenSSL", _DECRYPT),
    (0, b"age-encryption.org/", "a file encrypted with age", _DECRYPT),
    (0, b"\x85\x01\x0c\x03", "a file encrypted with PGP", _DECRYPT),
    (0, b"\x85\x02\x0c\x03", "a file encrypted with PGP", _DECRYPT),
    (0, b"\xc1\xc0\x4c\x03", "a file encrypted with PGP", _DECRYPT),
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file", _EXPORT),
    (0, b"\x93NUMPY", "a NumPy file", _EXPORT),
    (0, b"\x80\x04\x95", "a pickle of Python", _EXPORT),
    (0, b"\x80\x05\x95", "a pickle of Python", _EXPORT),
    (0, b"RDX2\n", "a file of R", _EXPORT),
    (0, b"RDX3\n", "a file of R", _EXPORT),
    (0, b"$FL2", "an SPSS file", _EXPORT),
    (0, b"bplist", "a property list", _EXPORT),
    (8, b"DUCK", "a DuckDB database", _EXPORT),
    (4, b"Standard Jet DB", "an Access database", _EXPORT),
    (4, b"Standard ACE DB", "an Access database", _EXPORT),
    (0, b"\0\0\1\0", "an icon", _EXPORT),
    (0, b"8BPS", "a Photoshop image", _EXPORT),
    (0, b"ID3", "an MP3 file", _EXPORT),
    (8, b"WAVE", "a WAV file", _EXPORT),
    (0, b"%!PS", "PostScript", _EXPORT),
)  # fmt: skip
# A pattern at the start of the text, without blank space and byte order mark.
_SQL = rb"""
    --[^\n]*dump | /\*![0-9] | INSERT\s+INTO\b | CREATE\s+(TABLE|DATABASE)\b
    | DROP\s+TABLE\b | PRAGMA\s+foreign_keys | BEGIN(\s+TRANSACTION)?\s*;
    | COPY\s+[\w."]+\s*(\([^)]*\))?\s*FROM\s
"""
_EMAIL = rb"""
    From\ \S+@\S+\s
    | (Received|Return-Path|Delivered-To|MIME-Version|Message-ID|X-[\w-]+|From|To|Subject|
       Date|Content-Type):\ [^\n]*\n([\w-]+:)?[\ \t]
"""
_PROGRAM = rb"""
    \#!\s*/ | Traceback\ \(most\ recent\ call\ last\) | An\ error\ occurred\ \(
    | ([\w./-]*/)?(-?bash|zsh|sh|curl|wget|psql|aws|fatal|error|mysql|mysqldump|gzip|s3cmd):\s
"""
_HTML = (
    rb"<(!doctype\s+html|html|head|body|script|!--|meta|title|table|div|form|p)\b|<!--"
)
_TEXT_FORMATS = tuple(
    (re.compile(pattern, re.IGNORECASE | re.VERBOSE), file_format, remedy)
    for pattern, file_format, remedy in (
        (rb"\{\\rtf", "rich text (RTF)", _EXPORT),
        (rb"<{7}\ |<{7}\r?\n", "a file with the conflict markers of git",
         "resolve the conflict, or download the export again"),
        (_HTML, "an HTML page, perhaps a login or error page", _DOWNLOAD),
        (rb"<\?xml[^>]*>\s*(<!--.*?-->\s*)?(<\?mso-application\s[^>]*Excel|<(ss:)?Workbook\b|<office:document\b)",
         "a spreadsheet saved as XML", "open it and export it as CSV UTF-8"),
        (rb"(?-i:ID;P\w*(;[NE])*[\ \t]*\r?\n[A-Z]{1,2};)", "a SYLK file of a spreadsheet", "open it and export it as CSV UTF-8"),
        (rb"TABLE\r?\n0,1\r?\n", "a DIF file of a spreadsheet", "open it and export it as CSV UTF-8"),
        (rb"<(?![^\n]*>,<)", "XML or HTML, perhaps an error page", _DOWNLOAD),
        (rb"\{\s*[\"'}][^\n]*\}[ \t\r]*\n\s*\{", "JSON lines", _EXPORT),
        (rb"\[InternetShortcut\]", "a link to a web page", "open it, and upload the file that it leads to"),
        (rb"\[[\w\ .-]+\][ \t\r]*\n\s*[\w\ .-]+=", "a file of settings (INI)", _EXPORT),
        (rb"[\[{]\s*([\[\]{}\"\d'-]|\w+\s*:|true|false|null|\Z)", "JSON", _EXPORT),
        (rb"version\ https?://[\w.-]+/spec/v1\s", "a Git LFS pointer",
         "fetch the file itself (git lfs pull)"),
        (rb"\S*/annex/objects/", "a git-annex pointer", "fetch the file itself (git annex get)"),
        (rb"outs:\s*\n\s*-\s+(md5|size|path|etag|hash):", "a DVC pointer", "fetch the file itself (dvc pull)"),
        (rb"-----BEGIN\ PGP\ ", "a file encrypted or signed with PGP", _DECRYPT),
        (rb"-----BEGIN\ [A-Z]", "a key or a certificate", _EXPORT),
        (rb"begin(-base64)?\ [0-7]{3}\ |=ybegin\ ", "a uuencoded file", _DECODE),
        (rb"--[\w'()+./:=?-]{1,70}\r?\nContent-", "a form that a browser sends", "save the file in it and upload that"),
        (rb"HTTP/[0-9.]+\ [0-9]{3}\b", "an HTTP response with its headers", _DOWNLOAD),
        (_SQL, "an SQL dump", _EXPORT),
        (rb"BEGIN:VCARD", "a vCard file", _EXPORT),
        (rb"BEGIN:VCALENDAR", "a calendar (ICS)", _EXPORT),
        (_EMAIL, "an email", "save its attachment and upload that"),
        (rb"%YAML | ---[ \t\r]*\n\s*(-\ )?[\w.]+:\s | -\ [\w.]+:\ ", "YAML", _EXPORT),
        (_PROGRAM, "a script or the error message of a program", _DOWNLOAD),
    )
)  # fmt: skip
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
    (b"+/v", "UTF-7"),
)
_BEFORE_TEXT = re.compile(rb"(?:\xef\xbb\xbf|[\s\0])*")
_GZIP_MAGIC = b"\x1f\x8b"
_PDF_SEARCH_BYTES = 1024  # readers accept other bytes before it
# In UTF-16 and UTF-32 at most three are side by side.
_NULS = b"\0" * 4
_CFB_MAGIC = b"\xd0\xcf\x11\xe0"
_ZIP_MAGIC = b"PK\x03\x04"
_OPEN_DOCUMENT = b"mimetypeapplication/vnd.oasis.opendocument."


def check_format(head: bytes) -> None:
    """Refuse other formats and encodings than text of one byte per ASCII character.

    Args:
        head: the first bytes of the file, decompressed.

    Raises:
        UnreadableObject: with the name of the format and the remedy.
    """
    for file_format, remedy in _formats(head):
        raise UnreadableObject(f"This is {file_format}, not a CSV file: {remedy}.")
    if encoding := wide_encoding(head):
        raise UnreadableObject(
            f"The file is {encoding} text; save it as CSV UTF-8 and upload it again."
        )


def _formats(head: bytes) -> Iterator[tuple[str, str]]:
    start = _BEFORE_TEXT.sub(b"", head, count=1)
    if start.startswith(_GZIP_MAGIC):
        yield (
            "a gzip file after other bytes",
            "compress the CSV file and upload it again",
        )
    if start.startswith(_CFB_MAGIC):
        # The names of the streams of a message are UTF-16.
        is_message = "__substg1.0".encode("utf-16-le") in head
        yield (
            ("an Outlook message", "save its attachment and upload that")
            if is_message
            else ("an old Excel workbook", "open it and export it as CSV UTF-8")
        )
    if start.startswith(_ZIP_MAGIC):
        yield _zip_format(start)
    if (pdf := head.find(b"%PDF", 0, _PDF_SEARCH_BYTES)) >= 0 and b"," not in head[
        :pdf
    ]:
        yield "a PDF", _EXPORT
    yield from _binary_formats(head)
    yield from _binary_formats(start)
    if packed := wrapping(start):
        yield packed, _DECODE
    for pattern, file_format, remedy in _TEXT_FORMATS:
        if pattern.match(start):
            yield file_format, remedy
    after_mark = head.removeprefix(codecs.BOM_UTF8)
    if after_mark.startswith(_NULS) or (after_mark and not after_mark.strip(b"\0")):
        yield "a file that begins with NUL bytes, perhaps a failed copy", _DOWNLOAD


def _binary_formats(head: bytes) -> Iterator[tuple[str, str]]:
    if not _is_text_line(head):
        for offset, signature, file_format, remedy in SIGNATURES:
            if head.startswith(signature, offset):
                yield file_format, remedy


def _zip_format(head: bytes) -> tuple[str, str]:
    if _OPEN_DOCUMENT in head[:200]:
        return "an OpenDocument file", "open it and export it as CSV UTF-8"
    if b"Index/" in head and b".iwa" in head:
        return "a Numbers document", "open it and export it as CSV UTF-8"
    if b"xl/" in head:
        return "an Excel workbook", "open it and export it as CSV UTF-8"
    if b"word/" in head:
        return "a Word document", "open it and export its table as CSV UTF-8"
    return "a zip archive or an Excel workbook", "open it and export it as CSV UTF-8"


def _is_text_line(head: bytes) -> bool:
    """Whether the first line is text with commas, such as a header that begins with BM."""
    line = head.partition(b"\n")[0].rstrip(b"\r")
    return b"," in line and min(line) >= 0x20 and b"\0" not in head  # noqa: PLR2004 -- no control character


def wide_encoding(head: bytes) -> str | None:
    """UTF-32, UTF-16, UTF-7 or EBCDIC, if the text is in one of them."""
    for mark, encoding in _BYTE_ORDER_MARKS:
        if head.startswith(mark):
            return encoding
    has_nul = b"\0" in head
    # A character of UTF-32 has one NUL byte or more.
    if has_nul and any(_is_text(head, name) for name in ("utf-32-le", "utf-32-be")):
        return "UTF-32"
    if (
        has_nul
        and not _begins_with_ascii_line(head)
        and (
            head[:64].count(0) > len(head[:64]) // 4
            or (_has_controls(head) and _is_utf16(head))
        )
    ):
        return "UTF-16"
    return "EBCDIC" if _is_ebcdic(head) else None


def _begins_with_ascii_line(head: bytes) -> bool:
    """Whether the labels are ASCII: in UTF-16, a NUL byte stands beside each comma.

    Cells of the rows may have NUL characters.
    """
    line = re.split(rb"[\r\n]", head.removeprefix(codecs.BOM_UTF8), maxsplit=1)[0]
    # One or two bytes may be a part of a character.
    return len(line) > 2 and line.isascii() and line.decode().isprintable()  # noqa: PLR2004 -- too short to tell


def _has_controls(head: bytes) -> bool:
    """Whether the bytes are not UTF-8, or have other controls than NUL and white space."""
    text = head.decode(errors="replace")
    return "\ufffd" in text[:-1] or bool(re.search("[\x02-\x08\x0e-\x19]", text))


def _is_utf16(head: bytes) -> bool:
    return any(_is_text(head, name) for name in ("utf-16-le", "utf-16-be"))


def _is_text(head: bytes, encoding: str) -> bool:
    """Whether all characters exist, and a comma or a line end is among them."""
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(head)
    except UnicodeDecodeError:
        return False
    return bool(re.search(r"[,;\t\n]", text)) and all(
        char.isspace() or unicodedata.category(char) not in ("Cc", "Cn", "Co")
        for char in text
    )


def _is_ebcdic(head: bytes) -> bool:
    """Whether the text is nearly all ASCII if it is read as EBCDIC, and not otherwise."""
    others = head.translate(None, _ASCII)
    if len(others) * 2 < len(head) or len(head) < 4:  # noqa: PLR2004 -- too short to tell
        return False
    text = head.decode("cp500")
    plain = sum(
        char.isascii() and (char.isprintable() or char in "\r\n\t") for char in text
    )
    # NEL (0x15) is the line end of mainframes.
    return (plain + text.count("\x85")) * 10 >= len(text) * 9
