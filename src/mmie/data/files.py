"""The files of a data set: found, read, and named for what they are where they are something else.

What a download leaves in place of the file (a Git LFS pointer, a web page, an archive) is told from
its first bytes, in one place for all readers.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from mmie.errors import InputError

HEAD = 512  # bytes that are looked at

AGAIN = "download the file again"
UNPACK = "unpack it and name the file inside"
KINDS = (  # first bytes, what such a file is, what to do about it
    (b"version https://git-lfs", "a Git LFS pointer", "run 'git lfs pull' in its repository"),
    (b"/annex/objects/", "a git-annex pointer", "run 'git annex get' in its repository"),
    (b"<<<<<<<", "a file with a merge conflict", "settle it and take Git's marks out"),
    (b"Entry not found", "a server's message", AGAIN),
    (b"404: Not Found", "a server's message", AGAIN),
    (b"Too Many Requests", "a server's message", f"{AGAIN} later"),
    (b"{\\rtf", "an RTF document", "save it as plain text in UTF-8"),
    (b"<", "a web page or XML", f"{AGAIN}, in a browser if a quota or a login stands before it"),
    (b"\x1f\x8b", "gzip-compressed", UNPACK),
    (b"BZh", "bzip2-compressed", UNPACK),
    (b"\xfd7zXZ\0", "xz-compressed", UNPACK),
    (b"\x28\xb5\x2f\xfd", "zstd-compressed", UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", UNPACK),
    (b"Rar!", "a RAR archive", UNPACK),
    (b"PK\x03\x04", "a zip archive", UNPACK),
    (b"%PDF", "a PDF", AGAIN),
    (b"PAR1", "a Parquet table", "convert it to the text form"),
    (b"\x89HDF", "an HDF5 file", "convert it to the text form"),
    (b"SQLite", "an SQLite database", "convert it to the text form"),
    (b"\x89PNG", "a PNG picture", AGAIN),
    (b"\xff\xd8\xff", "a JPEG picture", AGAIN),
    (b"GIF8", "a GIF picture", AGAIN),
    (b"\xff\xfe\0\0", "UTF-32 text", "save it as UTF-8"),
    (b"\0\0\xfe\xff", "UTF-32 text", "save it as UTF-8"),
    (b"\xff\xfe", "UTF-16 text", "save it as UTF-8"),
    (b"\xfe\xff", "UTF-16 text", "save it as UTF-8"),
)
ARCHIVES = frozenset({"a zip archive"})  # as torch's own files are


def file_of(root: Path, *names: str) -> Path:
    """The first of these files that is in the data's folder.

    Raises:
        InputError: there is none, or a folder or a broken link in its place.
    """
    paths = [root / name for name in names]
    for path in paths:
        if path.is_file():
            return path
    for path in paths:
        if path.is_dir():
            raise InputError(f"{path}: is a folder, not a file; put the file itself there")
        if path.is_symlink():
            raise InputError(f"{path}: is a link to a file that is not there; mend the link")
    wanted = " or ".join(map(repr, names))
    advice = "set data.root to the folder of the data"
    raise InputError(f"data.root={root}: there is no {wanted} in it; {advice}")


def read(path: Path) -> bytes:
    """The file's bytes; InputError where they cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); make it readable") from error


def read_head(path: Path) -> bytes:
    """The file's first ``HEAD`` bytes; InputError where they cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(HEAD)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); make it readable") from error


def read_text(path: Path) -> str:
    """The text of a UTF-8 file, without a byte order mark.

    Raises:
        InputError: the file is of another kind (``refuse_other_kinds``), or not in UTF-8.
    """
    content = read(path)
    refuse_other_kinds(path, content[:HEAD])
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        byte = content[error.start]
        raise InputError(f"{path}:{line}: byte 0x{byte:02x} is not UTF-8; save as UTF-8") from error


def refuse_other_kinds(path: Path, head: bytes) -> None:
    """Holds the first bytes of a text file against what is known to come in its place.

    Raises:
        InputError: it is no text of annotations; the line says what it is and what to do.
    """
    kind = kind_of(head)
    if kind is None and b"\0" in head:
        wide = _is_wide(head)
        kind = ("UTF-16 text", "save it as UTF-8") if wide else ("binary, not text", AGAIN)
    if kind is not None:
        raise InputError(f"{path}: is {kind[0]}, not the annotations; {kind[1]}")


def kind_of(head: bytes, *, allowed: Collection[str] = ()) -> tuple[str, str] | None:
    """What a file with these first bytes is, and what to do; None where none of ``KINDS``.

    Args:
        head: the first ``HEAD`` bytes.
        allowed: names of kinds that are welcome.
    """
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not start and len(head) < HEAD:
        return "empty", AGAIN
    if head[257:262] == b"ustar":
        return "a tar archive", UNPACK
    for magic, name, advice in KINDS:
        if start.startswith(magic) and name not in allowed:
            return name, advice
    return None


def fault_in(error: Exception) -> str:
    """What ``json`` finds wrong with a text, in a few words.

    Besides broken JSON that is nesting too deep for it and a number with thousands of digits.
    """
    if isinstance(error, RecursionError):
        return "too deep"
    return getattr(error, "msg", "a number of too many digits")


def _is_wide(head: bytes) -> bool:
    """Whether every second byte is zero and the others are not: UTF-16 without its first mark."""
    pairs = len(head) // 2
    fewer, more = sorted((head[::2].count(0), head[1::2].count(0)))
    return more > 0.7 * pairs and fewer < 0.1 * pairs
