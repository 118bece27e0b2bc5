"""Writes the figures of docs/, and those in its notebook, again in 256 colours: `python benchmarks/palette.py`.

That is a third of the bytes: the sdist holds them, and is to stay small.
"""

import json
from base64 import b64decode, b64encode
from io import BytesIO
from pathlib import Path

from PIL import Image

DOCS = Path(__file__).parents[1] / "docs"
PNG = "image/png"


def main() -> None:
    for path in sorted(DOCS.glob("*.png")):
        path.write_bytes(in_few_colours(path.read_bytes()))
    for path in sorted(DOCS.glob("*.ipynb")):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        for shown in (output.get("data", {}) for cell in notebook["cells"] for output in cell.get("outputs", [])):
            if PNG in shown:
                shown[PNG] = b64encode(in_few_colours(b64decode(shown[PNG]))).decode()
        path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def in_few_colours(content: bytes) -> bytes:
    """Return a PNG with 256 colours at most; one that has them stays as it is."""
    with Image.open(BytesIO(content)) as figure:
        if figure.mode == "P":
            return content
        written = BytesIO()
        figure.convert("RGB").quantize(256).save(written, "png", optimize=True)
        return written.getvalue()


if __name__ == "__main__":
    main()
