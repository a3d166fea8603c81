"""Guesses the encoding of cells that are not UTF-8, to name it in a message."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable

from salespro_core.csv_reader.decoding.seven_bit import seven_bit_encoding

# Cells that decide; more would not change the guess, and memory stays bounded.
MAX_CELLS = 100
MAX_CELL_BYTES = 300
_LEAST_SCORE = 0.55

# The letters of languages; a word is in one of them.
_SPANISH_TO_NORDIC = (
    "áéíóúüñ", "àâçéèêëîïôùûüœæ", "äöüß", "ãõáâàçéêíóôú", "àèéìíòóùú", "åäöæøé", "áðéíóúýþæö",
)  # fmt: skip
_POLISH_TO_ROMANIAN = (
    "ąćęłńóśźż", "áčďéěíňóřšťúůýžľĺŕäô", "áéíóöőúüű", "ăâîşţșț", "čćđšž",
)  # fmt: skip
_TURKISH = ("çğıİöşü",)
_BALTIC = ("āčēģīķļņšūž", "ąčęėįšųūž", "äõöüšž")
# Frequent letters; the others of the script count less.
_CYRILLIC = "оеаинтсрвлкмдпуяізбгйчєїўё"
_GREEK = "αειοτνσρπκςάίήόμλύέώγηδω"
_HEBREW = "".join(map(chr, range(0x5D0, 0x5EB)))
_ARABIC = "ابتدرسعلمنهويةح"
_THAI = "กนรอมาเงสลดท่้ีิ"

# Codec, name, languages.  Of two with the same score, the first is named: ISO-8859-1 is
# Windows-1252 without some characters.
_LATIN = (
    ("cp1252", "Windows-1252", _SPANISH_TO_NORDIC),
    ("mac_roman", "Mac Roman", _SPANISH_TO_NORDIC),
    ("cp850", "CP850 or CP437 (DOS)", _SPANISH_TO_NORDIC),
    ("cp437", "CP850 or CP437 (DOS)", _SPANISH_TO_NORDIC),
    ("iso8859_15", "ISO-8859-15", _SPANISH_TO_NORDIC),
    ("cp1250", "Windows-1250", _POLISH_TO_ROMANIAN),
    ("iso8859_2", "ISO-8859-2", _POLISH_TO_ROMANIAN),
    ("cp852", "CP852 (DOS)", _POLISH_TO_ROMANIAN),
    ("mac_latin2", "Mac Central European", _POLISH_TO_ROMANIAN),
    ("cp1254", "Windows-1254", _TURKISH),
    ("cp1257", "Windows-1257", _BALTIC),
)
_SCRIPTS = (
    ("cp1251", "Windows-1251", _CYRILLIC),
    ("koi8_u", "KOI8-R", _CYRILLIC),
    ("cp866", "CP866 (DOS)", _CYRILLIC),
    ("iso8859_5", "ISO-8859-5", _CYRILLIC),
    ("mac_cyrillic", "Mac Cyrillic", _CYRILLIC),
    ("cp1253", "Windows-1253", _GREEK),
    ("cp1255", "Windows-1255", _HEBREW),
    ("cp1256", "Windows-1256", _ARABIC),
    ("cp874", "Windows-874", _THAI),
)
# Codec, name, the first bytes of frequent characters, the most frequent characters.
_EAST_ASIAN = (
    ("cp932", "Shift-JIS", range(0x88, 0x98), "田中村山本藤木林佐高"),
    ("euc_jp", "EUC-JP", range(0xB0, 0xD0), "田中村山本藤木林佐高"),
    ("gb18030", "GB18030", range(0xB0, 0xD8), "王李张刘陈杨黄赵吴周徐孙马朱胡林郭何高罗"),
    ("cp949", "EUC-KR", range(0xB0, 0xC9), "김이박최정강조윤장임한신서권황안송홍"),
    ("big5", "Big5", range(0xA4, 0xC7), "王李張劉陳楊黃趙吳周徐孫馬朱胡林郭何高羅"),
)  # fmt: skip
_SURROGATE = re.compile("[\udc80-\udcff]")
_KANA = re.compile("[\u3041-\u30ff]")
_APOSTROPHE = "\N{RIGHT SINGLE QUOTATION MARK}"
_WORD = re.compile(rf"[^\W\d_]+(?:{_APOSTROPHE}[^\W\d_]+)*")
_USUAL_APOSTROPHE = re.compile(
    rf"\b(?:O|D|L|N|d|l){_APOSTROPHE}\w|\w{_APOSTROPHE}(?:s|t|d|m|re|ve|ll)\b"
)
# Quotes around words, signs after words, and dashes between spaces.
_TYPOGRAPHY = re.compile(
    r"(?<!\w)[\u201c\u2018\u201e\xab](?=\w)|(?<=\w)[\u201d\u2019\xbb\u2026\xae\u2122](?!\w)"
    r"|(?<= )[\u2013\u2014](?= )"
)
# Runs of characters outside ASCII; the ASCII letters beside them say nothing.
_FOREIGN_WORD = re.compile(r"(?<![A-Za-z])[^\x00-\x7f]{2,}(?![A-Za-z])")


_NAMES = list(dict.fromkeys(entry[1] for entry in (*_LATIN, *_SCRIPTS, *_EAST_ASIAN)))


class EncodingGuess:
    """Compares encodings by how much like words the cells look in each.

    Cells are added in the order of the file, so every attempt gives the same name.
    """

    def __init__(self) -> None:
        self._scores = dict.fromkeys(_NAMES, 0.0)
        self._cells = 0
        self._seven_bit: str | None = None

    def add(self, cells: Iterable[str]) -> None:
        """Take cells into account; those that are not UTF-8 hold lone surrogates."""
        for cell in cells:
            if self._seven_bit or self._cells >= MAX_CELLS:
                return
            self._seven_bit = seven_bit_encoding(cell)
            if not _SURROGATE.search(cell) or "\0" in cell:  # NUL is binary
                continue
            self._cells += 1
            raw = cell[:MAX_CELL_BYTES].encode(errors="surrogateescape")
            best: dict[str, float] = {}
            for name, score in _scores(raw):
                best[name] = max(score, best.get(name, 0))
            for name, score in best.items():
                self._scores[name] += score

    @property
    def name(self) -> str | None:
        """The name of the likely encoding; None if no encoding is likely."""
        if self._seven_bit or not self._cells:
            return self._seven_bit
        best = max(_NAMES, key=lambda name: self._scores[name])
        return best if self._scores[best] / self._cells >= _LEAST_SCORE else None


def _scores(raw: bytes) -> Iterable[tuple[str, float]]:
    """How likely each encoding is, from 0 to about 1."""
    for codec, name, languages in _LATIN:
        if text := _decoded(raw, codec):
            yield name, _mean(text, _latin_points(text, languages))
    for codec, name, letters in _SCRIPTS:
        if text := _decoded(raw, codec):
            yield name, _mean(text, _script_points(text, letters))
    for codec, name, first_bytes, frequent in _EAST_ASIAN:
        if text := _decoded(raw, codec):
            points = (
                _character_points(char, codec, first_bytes, frequent)
                for char in text
                if not char.isascii()
            )
            # Their characters do not stand inside Latin words.
            is_alone = not re.search(r"[a-z][^\x00-\x7f]|[^\x00-\x7f][a-z]", text)
            yield name, _mean(text, sum(points)) * (1 if is_alone else 0.3)


def _decoded(raw: bytes, codec: str) -> str | None:
    """The text, whose last character may be cut off; None if it has other bytes."""
    try:
        return codecs.getincrementaldecoder(codec)().decode(raw)
    except UnicodeDecodeError:
        return None


def _mean(text: str, points: float) -> float:
    return points / max(1, sum(not char.isascii() for char in text))


def _latin_points(text: str, languages: Iterable[str]) -> float:
    points = float(len(_TYPOGRAPHY.findall(text)))
    for word in _WORD.findall(text):
        special = [
            char for char in word.lower() if not char.isascii() and char != _APOSTROPHE
        ]
        points += 1.1 * bool(_USUAL_APOSTROPHE.search(word))
        if not _has_usual_case(word) or len(special) * 2 > len(word) + 1:
            continue
        points += max(
            sum(map(language.__contains__, special)) for language in languages
        )
    return points


def _script_points(text: str, letters: str) -> float:
    points = 0.0
    for word in _FOREIGN_WORD.findall(text):
        lower = word.lower()
        if all(ord(letters[0]) >> 8 == ord(char) >> 8 for char in lower) and (
            _has_usual_case(word)
        ):
            frequent = sum(map(letters.__contains__, lower))
            # Names begin with a capital, where the script has them.
            weight = 1 if lower != word or word == word.upper() else 0.9
            points += weight * (frequent + 0.3 * (len(word) - frequent))
    return points


def _has_usual_case(word: str) -> bool:
    """Whether capitals are only at the start of the word, or everywhere."""
    parts = word.removeprefix("Mc").split(_APOSTROPHE)
    return all(part[1:] == part[1:].lower() or part == part.upper() for part in parts)


def _character_points(
    char: str, codec: str, first_bytes: range, frequent: str
) -> float:
    encoded = char.encode(codec)
    if _KANA.match(char):
        return 1
    if len(encoded) != 2 or encoded[0] not in first_bytes:  # noqa: PLR2004 -- two bytes
        return 0.2
    if codec in ("gb18030", "cp949") and encoded[1] < 0xA1:  # noqa: PLR2004 -- rare characters are below
        return 0.2
    return 1.5 if char in frequent else 0.95
