"""Writes the figures of docs/ again in 256 colours, a third of the bytes: `python benchmarks/palette.py`.

The sdist holds them, and is to stay small.
"""

from pathlib import Path

from PIL import Image

DOCS = Path(__file__).parents[1] / "docs"


def main() -> None:
    for path in sorted(DOCS.glob("*.png")):
        with Image.open(path) as figure:
            if figure.mode != "P":
                figure.convert("RGB").quantize(256).save(path, optimize=True)


if __name__ == "__main__":
    main()
