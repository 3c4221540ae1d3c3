"""Names of the user's classes, rows and maps as ASCII that is safe in metric keys, artifact paths and file names."""

import hashlib
import re
import unicodedata

MAX_READABLE = 40
MAX_UNCHANGED = 64
_SAFE = re.compile(rf"[A-Za-z0-9_-]{{1,{MAX_UNCHANGED}}}")
_HASHED = re.compile(r".*-[0-9a-f]{10}", re.DOTALL)


def slug(name: str) -> str:
    """A short ASCII name made of `[A-Za-z0-9_-]`, different for different names.

    A safe name stays as it is. Any other becomes its readable ASCII part and ten hex digits of its SHA-256; so does a
    safe name that ends like a hashed one, or the two could meet. Equal names have equal slugs in every run.

    Args:
        name: Any text; Japanese kana are spelled out in the readable part.
    """
    if _SAFE.fullmatch(name) and not _HASHED.fullmatch(name):
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:10]
    return f"{_readable(name)}-{digest}"


def _readable(name: str) -> str:
    ascii_text = "".join(_ascii(character) for character in unicodedata.normalize("NFKC", name[: 4 * MAX_READABLE]))
    words = re.sub(r"[^A-Za-z0-9_]+", "-", ascii_text).strip("-")
    return words[:MAX_READABLE].rstrip("-") or "x"


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
