"""Names of the user's classes, rows and runs in metric keys and file names: as they are written wherever that is safe.

MLflow takes letters of any script in metric keys, tags and artifact paths, and so do file systems; in the keys of
images it takes ASCII alone.
"""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable

MAX_READABLE = 40
MAX_UNCHANGED = 64
NUM_DIGITS = 10
_PLAIN = re.compile(r"[\w-](?:[\w. -]*[\w-])?")
_ASCII = re.compile(r"[A-Za-z0-9_-]+")
_HASHED = re.compile(rf".*-[0-9a-f]{{{NUM_DIGITS}}}", re.DOTALL)


def slug(name: str) -> str:
    """A short name made of letters and digits of any script and `_-. `, different for different names.

    Such a name stays as it is, up to 64 bytes. Any other becomes its readable part and ten hex digits of its SHA-256;
    so does one that ends like a hashed one, or the two could meet, and one whose accents are composed in a way that
    file systems do not keep apart. Equal names have equal slugs in every run.

    Args:
        name: Any text.
    """
    if _is_kept(name, _PLAIN):
        return name
    words = re.sub(r"\W+", "-", unicodedata.normalize("NFKC", name[: 4 * MAX_READABLE])).strip("-")
    return _hashed(name, words)


def ascii_slug(name: str) -> str:
    """A short ASCII name made of `[A-Za-z0-9_-]`, different for different names.

    Args:
        name: Any text; Japanese kana are spelled out in the readable part.
    """
    return name if _is_kept(name, _ASCII) else _hashed(name, _ascii_words(name))


def ascii_form(written: str) -> str:
    """A slug in ASCII, different for different slugs: of a hashed one the digits stay.

    Args:
        written: By `slug` or `file_slugs`.
    """
    if written.isascii():
        return written
    if _HASHED.fullmatch(written):
        return f"{_ascii_words(written[:-NUM_DIGITS]) or 'x'}-{written[-NUM_DIGITS:]}"
    return ascii_slug(written)


def file_slugs(names: Iterable[str]) -> dict[str, str]:
    """The slug of each name, different also where a file system takes capitals for small letters.

    Args:
        names: That are written into one folder. Those that differ in nothing else end in ten hex digits.
    """
    slugs = {name: slug(name) for name in names}
    counts = Counter(map(_folded, slugs.values()))
    return {
        name: written if counts[_folded(written)] == 1 else _hashed(name, written) for name, written in slugs.items()
    }


def _folded(name: str) -> str:
    return unicodedata.normalize("NFD", name).casefold()


def _is_kept(name: str, pattern: re.Pattern[str]) -> bool:
    return (
        pattern.fullmatch(name) is not None
        and not _HASHED.fullmatch(name)
        and len(name.encode()) <= MAX_UNCHANGED
        and unicodedata.is_normalized("NFC", name)
    )


def _hashed(name: str, words: str) -> str:
    readable = words.encode("utf-8", "ignore")[:MAX_READABLE].decode("utf-8", "ignore").rstrip("-")
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:NUM_DIGITS]
    return f"{readable or 'x'}-{digest}"


def _ascii_words(name: str) -> str:
    ascii_text = "".join(_ascii(character) for character in unicodedata.normalize("NFKC", name[: 4 * MAX_READABLE]))
    return re.sub(r"[^A-Za-z0-9_]+", "-", ascii_text).strip("-")


def _ascii(character: str) -> str:
    """The nearest ASCII: a letter without its accent, a kana spelled out, a dash for what has no near one."""
    unicode_name = unicodedata.name(character, "")
    kana = re.fullmatch(r"(?:KATAKANA|HIRAGANA) LETTER (?:SMALL )?([A-Z]+)", unicode_name)
    if kana:
        return kana.group(1).lower()
    if unicode_name == "KATAKANA-HIRAGANA PROLONGED SOUND MARK":
        return ""
    plain = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    return plain or "-"
