"""What a download leaves in place of an annotation file is named, the same in every reader."""

import bz2
import gzip
import io
import json
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from helpers.labels import LABELS, RELATIONS, TYPES
from helpers.more_files import fact, write_split
from mmie.data.files import HEAD, file_of, kind_of, read_text
from mmie.errors import InputError
from mmie.tasks.jmere.jmere_json import JMEREJson
from mmie.tasks.jmere.mnre import MNRE
from mmie.tasks.more.reader import MORE

SAMPLE = {"token": ["A", "b"], "img_id": "1.jpg", "label_list": []}
TEXT = json.dumps([SAMPLE] * 9)
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1234\n"


def zipped(text: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("train.json", text)
    return content.getvalue()


def tarred(text: str) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        member = tarfile.TarInfo("train.json")
        member.size = len(text)
        archive.addfile(member, io.BytesIO(text.encode()))
    return content.getvalue()


def png() -> bytes:
    content = io.BytesIO()
    Image.new("L", (4, 4)).save(content, "PNG")
    return content.getvalue()


OTHER_KINDS = [
    (POINTER, "a Git LFS pointer", "run 'git lfs pull'"),
    (b"<!DOCTYPE html><title>Google Drive - Quota exceeded</title>", "a web page", "download"),
    (b"\n\n  <HTML><body>404</body></html>", "a web page", "download the file again"),
    (b"\xef\xbb\xbf<!-- sign in --><html>", "a web page", "download the file again"),
    (gzip.compress(TEXT.encode()), "gzip-compressed", "unpack it"),
    (bz2.compress(TEXT.encode()), "bzip2-compressed", "unpack it"),
    (zipped(TEXT), "a zip archive", "unpack it"),
    (TEXT.encode("utf-16"), "UTF-16 text", "save it as UTF-8"),
    (TEXT.encode("utf-16-le"), "UTF-16 text", "save it as UTF-8"),
    (TEXT.encode("utf-16-be"), "UTF-16 text", "save it as UTF-8"),
    (TEXT.encode("utf-32"), "UTF-32 text", "save it as UTF-8"),
    (b"", "empty", "download the file again"),
    (b" \n\r\n", "empty", "download the file again"),
    (b"\xef\xbb\xbf", "empty", "download the file again"),
    (png(), "a PNG picture", "download the file again"),
    (b"\x7fELF\x02\x01\x01\0\0\0\0\0", "binary, not text", "download the file again"),
    (b"PAR1\x15\x04", "a Parquet table", "convert it"),
    (tarred(TEXT), "a tar archive", "unpack it"),
    (b"\0" * 600, "binary, not text", "download the file again"),
    (b"\0\5\x16\7\0\2\0\0Mac OS X" + b"\0" * 50, "binary, not text", "download the file"),
    (b"/annex/objects/SHA256E-s12--ab.json\n", "a git-annex pointer", "run 'git annex get'"),
    (b"<<<<<<< HEAD\n" + TEXT.encode(), "a file with a merge conflict", "settle it"),
    (b"Entry not found", "a server's message", "download the file again"),
    (b"{\\rtf1\\ansi [] }", "an RTF document", "save it as plain text"),
]


def from_json(root: Path, content: bytes) -> Path:
    (root / "train.json").write_bytes(content)
    labels = {"types": TYPES, "relations": RELATIONS}
    JMEREJson(root, root, missing_images="blank", **labels).load("train")
    return root / "train.json"


def from_mnre(root: Path, content: bytes) -> Path:
    (root / "mnre_train.txt").write_bytes(content)
    MNRE(root, root, types=TYPES, relations=RELATIONS, missing_images="blank").load("train")
    return root / "mnre_train.txt"


def from_more(root: Path, content: bytes) -> Path:
    write_split(root, "train", [fact()]).write_bytes(content)
    MORE(root, root, labels=LABELS, missing_images="blank").load("train")
    return root / "txt/train.txt"


def from_labels(root: Path, content: bytes) -> Path:
    write_split(root, "train", [fact()])
    (root / "rel2id.json").write_bytes(content)
    MORE(root, root, labels=LABELS, missing_images="blank").load("train")
    return root / "rel2id.json"


@pytest.mark.parametrize("reader", [from_json, from_mnre, from_more, from_labels])
@pytest.mark.parametrize(
    ("content", "kind", "advice"), OTHER_KINDS, ids=range(len(OTHER_KINDS))
)  # bytes differ by the clock
def test_every_reader_says_what_the_file_is(
    tmp_path: Path, reader: Callable[..., Path], content: bytes, kind: str, advice: str
) -> None:
    with pytest.raises(InputError) as caught:
        reader(tmp_path, content)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path}/")
    assert f": is {kind}" in message
    assert "not the annotations; " in message
    assert advice in message
    assert "\n" not in message


def test_an_annotation_file_is_none_of_them() -> None:
    for content in (TEXT, repr(SAMPLE), '{"none": 0}', "[]", "  \n[1]", "\ufeff{}", " " * HEAD):
        assert kind_of(content.encode()[:HEAD]) is None


def test_text_that_is_not_utf8_names_line_and_byte(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes("[1,\n2,\n'é']".encode("latin-1"))
    with pytest.raises(InputError, match=f"^{path}:3: byte 0xe9 is not UTF-8; save as UTF-8$"):
        read_text(path)
    path.write_bytes("\ufeffé".encode())
    assert read_text(path) == "é"


def test_a_folder_and_a_broken_link_are_named(tmp_path: Path) -> None:
    (tmp_path / "train.json").mkdir()
    with pytest.raises(InputError, match=f"^{tmp_path}/train.json: is a folder, not a file"):
        file_of(tmp_path, "train.json")
    os.symlink(tmp_path / "gone", tmp_path / "val.json")
    with pytest.raises(InputError, match=f"^{tmp_path}/val.json: is a link to a file that is not"):
        file_of(tmp_path, "val.json")
    (tmp_path / "dev.json").touch()
    assert file_of(tmp_path, "val.json", "dev.json") == tmp_path / "dev.json"
