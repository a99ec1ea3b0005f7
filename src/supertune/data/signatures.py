"""What a file is by its first bytes or its name, where it is not text."""

from __future__ import annotations

import codecs
from pathlib import Path

from supertune.errors import InputError

READABLE = ".csv, .tsv, .jsonl, .json, .parquet, .xlsx, .txt, or a folder per class of .txt files"

_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"RIFF", "a WAV, AVI or WebP file"),
    (b"PK\x03\x04", "a zip archive, as .xlsx, .docx and .npz files are"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"\x1f\x8b", "a gzip file"),
    (b"BZh", "a bzip2 file"),
    (b"\xfd7zXZ\0", "an xz file"),
    (b"\x28\xb5\x2f\xfd", "a zstd file"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a", "a rar archive"),
    (b"%PDF-", "a PDF document"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office file (.xls, .doc)"),
    (b"PAR1", "a parquet file"),
    (b"ARROW1", "an Arrow file"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x89HDF", "an HDF5 file"),
    (b"SQLite format 3\0", "a SQLite database"),
    (b"\x7fELF", "a program"),
    (b"ID3", "an MP3 file"),
    (b"OggS", "an Ogg file"),
    (b"fLaC", "a FLAC file"),
    (b"GGUF", "a GGUF model"),
)
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\r\f\v\x1a\x1b"))
_WIDE_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)
_PICKLES = tuple(bytes([0x80, version]) for version in range(2, 6))

_STEPS = {
    ".xls": "Open it in a spreadsheet program and save it as .xlsx or .csv.",
    ".ods": "Open it in a spreadsheet program and save it as .xlsx or .csv.",
    ".xlsb": "Open it in a spreadsheet program and save it as .xlsx or .csv.",
    ".pkl": "Unpickling runs code, so it is never done here: write the frame with to_parquet().",
    ".pickle": "Unpickling runs code, so it is never done here: write the frame with to_parquet().",
    ".npy": "Texts and labels go into a .csv or .jsonl file, or into a Python list of pairs.",
    ".npz": "Texts and labels go into a .csv or .jsonl file, or into a Python list of pairs.",
    ".docx": "Copy the texts into a table, a row each, and save it as .csv or .xlsx.",
    ".doc": "Copy the texts into a table, a row each, and save it as .csv or .xlsx.",
    ".pdf": "Extract the texts into a table, a row each, and save it as .csv or .xlsx.",
}
_UNREADABLE = frozenset(
    {*_STEPS, ".odt", ".rtf", ".pptx", ".zip", ".tar", ".tgz", ".7z", ".rar", ".bz2", ".xz"}
    | {".zst", ".feather", ".arrow", ".ipc", ".orc", ".avro", ".h5", ".hdf5", ".mat", ".sav"}
    | {".dta", ".rds", ".rdata", ".sas7bdat", ".db", ".sqlite", ".sqlite3", ".joblib", ".pt"}
    | {".pth", ".bin", ".safetensors", ".onnx", ".gguf", ".png", ".jpg", ".jpeg", ".gif", ".bmp"}
    | {".tif", ".tiff", ".webp", ".mp3", ".wav", ".flac", ".ogg", ".m4a", ".mp4", ".avi", ".mov"}
    | {".html", ".htm", ".xml", ".yaml", ".yml", ".exe", ".so", ".dll", ".pyc"}
)


def check_name(path: Path) -> None:
    """Raises: InputError ``unknown_format`` for a suffix that no reader will try."""
    suffix = path.suffix.lower()
    if suffix in _UNREADABLE:
        raise unknown_format(path.name, _STEPS.get(suffix, _ANY_STEP))


_ANY_STEP = "Write the rows as .csv or .jsonl: a column with the text, one with the label."


def unknown_format(received: str, step: str = _ANY_STEP) -> InputError:
    return InputError(
        "unknown_format",
        f"{received} is of a kind that is not read here.",
        received=received,
        allowed=READABLE,
        next=step,
    )


def check_text(sample: bytes, source: str) -> None:
    """Raises: InputError ``binary_file``, saying what the bytes look like."""
    looks = kind(sample)
    if looks is None:
        return
    raise InputError(
        "binary_file",
        f"{source} is not text.",
        received=f"{looks}; it begins with {sample[:8].hex(' ')}",
        allowed=READABLE,
        next="If it is a table, give the file its right suffix; otherwise write the rows as .csv.",
    )


def kind(sample: bytes) -> str | None:
    """What these first bytes look like, or None when they may be text in some encoding."""
    if sample.startswith(_WIDE_MARKS) and b"\0" in sample:
        return None
    for signature, name in _SIGNATURES:
        if sample.startswith(signature):
            # A short signature of letters alone may begin a text.
            certain = not signature.isascii() or len(signature) > 4
            if certain or not _printable(sample):
                return name
    if sample.startswith(_PICKLES):
        return "a Python pickle"
    controls = len(sample) - len(sample.translate(None, _CONTROLS))
    wide = sample.count(0) > len(sample) * 0.2 and _spread(sample)
    return "binary data" if not wide and controls > max(2, len(sample) * 0.05) else None


def _printable(sample: bytes) -> bool:
    return not any(value < 9 for value in sample[:4096])


def _spread(sample: bytes) -> bool:
    """Whether NUL bytes stand where UTF-16 or UTF-32 of a Western text has them."""
    counts = sorted(sample[start::4].count(0) for start in range(4))
    return counts[-1] > len(sample) / 4 * 0.5 and counts[0] < len(sample) / 4 * 0.1
