"""Write the OpenAPI document: `make openapi`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sandbox.world import World
from tools.openapi.document import build
from tools.openapi.journey import play

if TYPE_CHECKING:
    from collections.abc import Sequence

PATH: Final = Path(__file__).parent.parent.parent / "chalicelib" / "web" / "openapi.json"


def text_of(world: World) -> str:
    """Return the document as the file holds it, made of a sandbox that runs."""
    return json.dumps(build(world.app, play(world)), indent=1, ensure_ascii=False) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(prog="python -m tools.openapi", description=__doc__)
    parser.parse_args(arguments)
    with World(settle_seconds=0) as world:
        text = text_of(world)
    PATH.parent.mkdir(exist_ok=True)
    PATH.write_text(text, encoding="utf-8")
    print(f"{PATH.relative_to(Path.cwd())}: {len(text) // 1024} KB")


if __name__ == "__main__":
    main()
