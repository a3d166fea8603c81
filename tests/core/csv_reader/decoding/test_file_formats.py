"""Each format that is no CSV is refused by name, plain and inside gzip."""

from __future__ import annotations

import base64
import binascii
import bz2
import gzip
import io
import lzma
import pickle
import sqlite3
import tarfile
import zipfile
import zlib
from encodings.aliases import aliases

import pytest

from salespro_core.csv_reader.decoding.file_formats import SIGNATURES, check_format
from salespro_core.errors import UnreadableObject
from tests.core.csv_reader.damage import imported
from tests.support.builders import appointment, csv_bytes, read_rows

CSV = csv_bytes(*[appointment(f"A-{n}") for n in range(9)])


def refusal(body: bytes) -> str:
    with pytest.raises(UnreadableObject) as refused:
        list(read_rows(io.BytesIO(body)))
    return str(refused.value)


def tar(tar_format: int) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tar_format) as archive:
        info = tarfile.TarInfo("a.csv")
        info.size = len(CSV)
        archive.addfile(info, io.BytesIO(CSV))
    return target.getvalue()


def zipped(*names: str, first: bytes = CSV) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name in names:
            archive.writestr(name, first)
    return target.getvalue()


def sqlite() -> bytes:
    with sqlite3.connect(":memory:") as db:
        db.execute("CREATE TABLE a (b)")
        return db.serialize()


def raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


FORMATS = [
    ("bzip2", bz2.compress(CSV)),
    ("xz", lzma.compress(CSV)),
    ("LZMA", lzma.compress(CSV, lzma.FORMAT_ALONE)),
    ("zstd", b"\x28\xb5\x2f\xfd\x24\x05"),
    ("LZ4", b"\x04\x22\x4d\x18\x64\x40"),
    ("compress", b"\x1f\x9d\x90a"),
    ("7z", b"7z\xbc\xaf\x27\x1c\0\x04"),
    ("RAR", b"Rar!\x1a\x07\x01\0"),
    ("tar", tar(tarfile.USTAR_FORMAT)),
    ("tar", tar(tarfile.GNU_FORMAT)),
    ("tar", tar(tarfile.PAX_FORMAT)),
    ("Parquet", b"PAR1\x15\x04\x15\0,"),
    ("Avro", b"Obj\x01\x04\x16avro.schema"),
    ("Arrow", b"ARROW1\0\0\xff\xff\xff\xff"),
    ("Feather", b"FEA1\0\0\0\0"),
    ("ORC", b"ORC\x0a\x0b\0,"),
    ("SQLite", sqlite()),
    ("PDF", b"%PDF-1.7\n"),
    ("PDF", b"\r\n\0\0junk\n%PDF-1.4\n"),
    ("PNG", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"),
    ("JPEG", b"\xff\xd8\xff\xe0\0\x10JFIF"),
    ("GIF", b"GIF89a\x01\0\x01\0"),
    ("WebP", b"RIFF\x24\0\0\0WEBPVP8 "),
    ("BMP", b"BM\x36\0\0\0\0\0"),
    ("TIFF", b"II*\0\x08\0\0\0"),
    ("TIFF", b"MM\0*\0\0\0\x08"),
    ("HEIC", b"\0\0\0\x18ftypheic\0\0\0\0"),
    ("an old Excel workbook", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(90)),
    ("an Outlook message", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "__substg1.0_001A".encode("utf-16-le")),
    ("an Excel workbook", zipped("[Content_Types].xml", "xl/workbook.xml", first=b"<a/>")),
    ("a Word document", zipped("[Content_Types].xml", "word/document.xml", first=b"<a/>")),
    ("OpenDocument", zipped("mimetype", first=b"application/vnd.oasis.opendocument.spreadsheet")),
    ("Numbers", zipped("Index/Document.iwa", first=b"a")),
    ("zip archive", zipped("a.csv")),
    ("RTF", b"{\\rtf1\\ansi"),
    ("conflict markers of git", b"<<<<<<< HEAD\n" + CSV + b"=======\n" + CSV + b">>>>>>> x\n"),
    ("conflict markers of git", b"\xef\xbb\xbf<<<<<<< HEAD\r\n_id\r\n"),
    *(("begins with NUL bytes", mark + bytes(n) + end) for mark in (b"", b"\xef\xbb\xbf") for n in (4, 100, 100_000) for end in (b"", b"\n", CSV)),
    *(("begins with NUL bytes", bytes(n)) for n in (1, 2, 3)),
    ("HTML", b"<!DOCTYPE html><title>Sign in</title>"),
    ("HTML", b"\xef\xbb\xbf\r\n\t <HTML lang=en>"),
    ("XML", b"<?xml version='1.0'?><Error/>"),
    ("JSON lines", b'{"_id": "a"}\n{"_id": "b"}\n'),
    ("JSON,", b'{\n "_id": "a"}'),
    ("JSON,", b'[{"_id": "a"}]'),
    ("Git LFS", b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 1\n"),
    ("SQL", b"INSERT INTO appointment (_id, isSale) VALUES ('a', TRUE);\n"),
    ("SQL", b"--\n-- PostgreSQL database dump\n--\n".removeprefix(b"--\n")),
    ("SQL", b"COPY public.a (_id, b) FROM stdin;\n"),
    ("vCard", b"BEGIN:VCARD\r\nVERSION:3.0\r\n"),
    ("ICS", b"BEGIN:VCALENDAR\r\n"),
    ("an email", b"Return-Path: <a@example.com>\r\nReceived: from x\r\n"),
    ("YAML", b"---\n_id: a\nisSale: true\n"),
    ("YAML", b"- _id: a\n  isSale: true\n"),
    ("a script", b"#!/bin/sh\necho a,b\n"),
    ("a program", b"bash: sp-export: command not found\n"),
    ("a program", b"Traceback (most recent call last):\n  File"),
    *(("zlib", zlib.compress(CSV, level)) for level in range(10)),
    ("deflate", raw_deflate(CSV)),
    ("gzip file after other bytes", b"\xef\xbb\xbf" + gzip.compress(CSV)),
    ("gzip file after other bytes", b"\r\n" + gzip.compress(CSV)),
    ("gzip file after other bytes", b"\xef\xbb\xbf\n\0 " + gzip.compress(CSV)),
    ("gzip file that was read as text", gzip.compress(CSV).decode(errors="replace").encode()),
    ("gzip file that was read as text", gzip.compress(CSV).decode("latin-1").encode()),
    *((name, mark + magic) for mark in (b"\xef\xbb\xbf", b"\n") for name, magic in (("Parquet", b"PAR1\x15\x04\x15\0,"), ("bzip2", bz2.compress(CSV)), ("zlib", zlib.compress(CSV)))),
    ("base64", base64.b64encode(CSV)),
    ("base64", base64.encodebytes(CSV)),
    ("base64", base64.urlsafe_b64encode(gzip.compress(CSV))),
    ("base64", b"\xef\xbb\xbf" + base64.b64encode(b"\xef\xbb\xbf" + CSV)),
    ("base64", b'"' + base64.b64encode(CSV) + b'"'),
    ("base64", b"data:text/csv;base64," + base64.b64encode(CSV)),
    ("hexadecimal", CSV.hex().encode()),
    ("hexadecimal", b"\\x" + CSV.hex().upper().encode()),
    ("hexadecimal", b"0x" + gzip.compress(CSV).hex().encode()),
    ("uuencoded", b"begin 644 a.csv\n" + binascii.b2a_uu(CSV[:45])),
    ("PGP", b"-----BEGIN PGP MESSAGE-----\n\nhQEMA"),
    ("PGP", b"\x85\x01\x0c\x03\x01\x02"),
    ("a key", b"-----BEGIN CERTIFICATE-----\nMIIB"),
    ("OpenSSL", b"Salted__\x01\x02"),
    ("a form", b'------WebKitFormBoundary7MA4\r\nContent-Disposition: form-data; name="a"\r\n\r\n_id,isSale\r\n'),
    ("HTTP response", b"HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\n\r\n_id,isSale\r\n"),
    ("HDF5", b"\x89HDF\r\n\x1a\n\0"),
    ("pickle", pickle.dumps(CSV)),
    ("DuckDB", bytes(8) + b"DUCK" + bytes(8)),
    ("Access", b"\0\x01\0\0Standard ACE DB\0"),
    ("PostScript", b"%!PS-Adobe-3.0\n"),
    ("zstd", b"\x50\x2a\x4d\x18\x04\0\0\0\1\2\3\4\x28\xb5\x2f\xfd"),
    ("Arrow", b"\xff\xff\xff\xff\x10\x01\0\0\x10\0\0\0"),
    ("macOS", b"\0\x05\x16\x07\0\x02\0\0Mac OS X        "),
    ("macOS", b"\0\0\0\x01Bud1\0\0\x10\0"),
    ("Windows shortcut", b"L\0\0\0\x01\x14\x02\0\0\0\0\0\xc0\0\0\0\0\0\0F"),
    ("zip archive", b"PK\x07\x08PK\x03\x04"),
    ("Ogg", b"OggS\0\x02"),
    ("a spreadsheet saved as XML", b'<?xml version="1.0"?>\r\n<?mso-application progid="Excel.Sheet"?>\r\n<Workbook>'),
    ("a spreadsheet saved as XML", b'<?xml version="1.0" encoding="UTF-8"?>\n<office:document>'),
    ("SYLK", b'ID;PWXL;N;E\r\nP;PGeneral\r\nC;Y1;X1;K"_id"\r\n'),
    ("SYLK", b"ID;PSCALC3\nB;Y2;X2\n"),
    ("DIF", b'TABLE\r\n0,1\r\n"EXCEL"\r\nVECTORS\r\n'),
    ("a link", b"[InternetShortcut]\r\nURL=https://example.com/\r\n"),
    ("INI", b"[export]\nname=a\n"),
    ("git-annex", b"/annex/objects/SHA256E-s123--abc.csv\n"),
    ("git-annex", b"../.git/annex/objects/xx/yy/SHA256E-s1--a.csv/SHA256E-s1--a.csv"),
    ("DVC", b"outs:\n- md5: a304afb96060aad90176268345e10355\n  size: 1\n  path: a.csv\n"),
    ("JSON", b"[]"),
    ("JSON", b"{"),
    ("JSON", b"{ _id: 'a1', isSale: true }"),
    ("JSON", b"[1, 2]"),
    ("XML", b"<Error><Code>AccessDenied</Code></Error>"),
]  # fmt: skip


@pytest.mark.parametrize("compress", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize(
    ("name", "body"),
    [pytest.param(*f, id=f"{n}-{f[0]}") for n, f in enumerate(FORMATS)],
)
def test_other_format_is_refused_by_its_name(
    name: str, body: bytes, compress: type[bytes]
) -> None:
    said = refusal(compress(body))

    assert name in said
    assert said.startswith("This is ")
    assert "not a CSV file: " in said


@pytest.mark.parametrize(
    ("offset", "signature", "name"), [known[:3] for known in SIGNATURES], ids=repr
)
def test_file_with_a_known_signature_is_refused_by_its_name(
    offset: int, signature: bytes, name: str
) -> None:
    body = b"\1" * offset + signature + bytes(range(32))

    assert refusal(body).startswith(f"This is {name}, not a CSV file: ")


def test_empty_zip_archive_is_named() -> None:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w"):
        pass

    assert refusal(body.getvalue()).startswith("This is an empty zip archive, ")


@pytest.mark.parametrize("control", [b"\x01", b"\x1f", b"\t"])
def test_text_with_a_control_character_is_no_header(control: bytes) -> None:
    body = b"BM,_id" + control + b"\n1,a1\n"

    assert refusal(body).startswith("This is a BMP image, ")


@pytest.mark.parametrize("quotes", ["[]", "{}", "<>"])
def test_labels_in_brackets_are_neither_json_nor_xml(quotes: str) -> None:
    start, end = quotes[0], quotes[1]
    lines = ("_id", "isSale"), ("a1", "TRUE"), ("a2", "FALSE")
    body = "".join(f"{start}{a}{end},{start}{b}{end}\n" for a, b in lines)

    with pytest.raises(UnreadableObject) as refused:
        imported(body.encode())

    assert str(refused.value) == (
        f"The cells are in quotes of another kind (U+{ord(start):04X}); export the file "
        'with double quotes (").'
    )


@pytest.mark.parametrize("header", [b"ID;PHONE;_id", b"id;p"])
def test_labels_with_semicolons_are_no_sylk_file(header: bytes) -> None:
    check_format(header + b"\n1;2;3\n")


@pytest.mark.parametrize(
    "start", [b"PAR1", b"BM", b"ORC", b"MZ", b"BZh", b"GIF89a", b"PARE", b"1234ftyp"]
)
def test_header_that_begins_like_another_format_is_read(start: bytes) -> None:
    body = start + b",_id\n1,a1\n"

    assert [row.cells for row in read_rows(io.BytesIO(body))][1] == ["1", "a1"]


@pytest.mark.parametrize(
    "header",
    ["resultFullString", "deadbeefdeadbeef", "12345678901234567890", "x\u009c", "HTTP", "begin", "--", "data", "070"],
)  # fmt: skip
def test_single_label_that_resembles_encoded_text_is_read(header: str) -> None:
    body = f"{header}\n1\n".encode()

    assert [row.cells for row in read_rows(io.BytesIO(body))] == [[header], ["1"]]


HEADERS = {
    "ascii": "_id,isSale\na1,TRUE\n",
    "short": "_id\na\n",
    "cyrillic": "Имя,Фамилия\nИван,Петров\n",  # noqa: RUF001 -- Cyrillic on purpose
    "greek": "Όνομα,Επώνυμο\nΆννα,Λη\n",  # noqa: RUF001 -- Greek on purpose
    "chinese": "名字,姓氏\n张,李\n",
    "emoji": "_id,🏠\na1,🏠\n",
}


@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["no-mark", "mark"])
@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("text", HEADERS.values(), ids=HEADERS)
def test_wide_encoding_is_named(text: str, codec: str, mark: str) -> None:
    said = refusal((mark + text).encode(codec))

    assert said == (
        f"The file is {codec[:6].upper()} text; save it as CSV UTF-8 and upload it again."
    )


EBCDIC = ("cp037", "cp500", "cp1140", "cp1026", "cp273")


@pytest.mark.parametrize("codec", EBCDIC)
def test_ebcdic_is_named(codec: str) -> None:
    assert "The file is EBCDIC text" in refusal(CSV.decode().encode(codec))


def test_no_other_codec_of_python_is_taken_for_a_wide_encoding() -> None:
    """An ASCII file is the same in most encodings, and readable."""
    same = []
    for codec in sorted(set(aliases.values())):
        try:
            is_same = CSV.decode().encode(codec) == CSV
        except (LookupError, UnicodeError):
            continue
        if is_same:
            same.append(codec)
            check_format(CSV)
        elif codec not in ("utf_7", "hex_codec"):
            assert "The file is " in refusal(CSV.decode().encode(codec)), codec

    assert len(same) > 50


def test_gzip_inside_gzip_is_read_to_three_levels() -> None:
    body = CSV
    for _ in range(3):
        body = gzip.compress(body)
        assert list(read_rows(io.BytesIO(body))) == list(read_rows(io.BytesIO(CSV)))

    assert refusal(gzip.compress(body)) == (
        "The file is compressed with gzip more than 3 times; unpack it and upload the CSV "
        "file."
    )
