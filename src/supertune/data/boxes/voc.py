"""Pascal VOC XML: one file a picture; parsed without document types, so that nothing expands."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from supertune.data.boxes.annotated import Annotated, Annotations, Box, bad_box, four, located
from supertune.errors import InputError

_CORNERS = ("xmin", "ymin", "xmax", "ymax")
LARGEST = 64 << 20  # bytes of one file


def read(paths: Sequence[Path], folder: Path) -> Annotations:
    """The pictures of these files, which lie beside them or in ``JPEGImages`` or ``images``.

    Raises:
        InputError: ``bad_xml``, ``xml_document_type``, ``not_voc``, ``bad_box``,
            ``no_class_name``.
    """
    pictures = [_picture(path) for path in paths]
    labels = dict.fromkeys(box.label for one in pictures for box in one.boxes)
    return Annotations(tuple(pictures), tuple(labels), folder.name or str(folder), "Pascal VOC")


def _picture(path: Path) -> Annotated:
    root = parsed(path)
    if root.tag != "annotation":
        raise InputError(
            "not_voc",
            f"{path.name} is no Pascal VOC file.",
            received=f"<{root.tag}>"[:80],
            allowed="<annotation>",
            next="Export the boxes as Pascal VOC or COCO.",
        )
    name = (root.findtext("filename") or "").strip()
    sides = [_whole(root.findtext(f"size/{side}")) for side in ("width", "height")]
    boxes = [
        _box(one, f"{path.name}, object {number}")
        for number, one in enumerate(root.iter("object"), start=1)
    ]
    size = (sides[0], sides[1]) if sides[0] > 0 and sides[1] > 0 else None
    return Annotated(_place(path, name), name or path.stem, tuple(boxes), size)


def _place(path: Path, name: str) -> Path:
    around = path.parent
    folders = [around, around.parent, around.parent / "JPEGImages", around.parent / "images"]
    folders += [around / "JPEGImages", around / "images"]
    if name:
        found = located(name, folders)
        if found.is_file():
            return found
    endings = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp", ".JPG", ".PNG")
    beside = (folder / (path.stem + ending) for folder in folders for ending in endings)
    return next((one for one in beside if one.is_file()), folders[0] / (name or path.stem))


def _box(one: Element, where: str) -> Box:
    label = (one.findtext("name") or "").strip()
    if not label:
        raise InputError(
            "no_class_name",
            f"A box has no class: {where}.",
            received="no <name>",
            allowed="<name>tree</name>",
            next="Name the class, or remove the object.",
        )
    corners = [one.findtext(f"bndbox/{name}") for name in _CORNERS]
    if None in corners:
        missing = [name for name, text in zip(_CORNERS, corners, strict=True) if text is None]
        raise bad_box(where, f"no {', '.join(missing)}", "xmin, ymin, xmax and ymax in <bndbox>")
    x0, y0, x1, y1 = four(corners, where)
    if x1 < x0 or y1 < y0:
        raise bad_box(where, f"{x0:g}, {y0:g}, {x1:g}, {y1:g}", "xmin below xmax, ymin below ymax")
    return Box(x0, y0, x1, y1, label, where)


def parsed(path: Path) -> Element:
    """The root of an XML file without a document type.

    Raises:
        InputError: ``bad_xml``, ``xml_document_type`` (it could expand without end, or read
            other files).
    """
    if path.stat().st_size > LARGEST:
        raise _bad(path, f"{path.stat().st_size:,} bytes")
    builder = TreeBuilder()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    refused = False

    def refuse(*_: object) -> None:
        nonlocal refused
        refused = True
        raise ValueError("document type")

    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(path.read_bytes(), True)
        return builder.close()
    except (expat.ExpatError, ValueError, AssertionError, LookupError) as error:
        if refused:
            raise InputError(
                "xml_document_type",
                f"{path.name} has a document type, which is not read: it could expand without end.",
                received="<!DOCTYPE ...>",
                allowed="plain elements",
                next="Remove the line with <!DOCTYPE.",
            ) from None
        raise _bad(path, str(error)) from None


def _bad(path: Path, received: str) -> InputError:
    return InputError(
        "bad_xml",
        f"{path.name} cannot be read as XML.",
        received=received,
        allowed="well-formed XML, as labelling tools write it",
        next="Export the file again.",
    )


def _whole(text: str | None) -> int:
    try:
        return int(float(text or 0))
    except (ValueError, OverflowError):
        return 0
