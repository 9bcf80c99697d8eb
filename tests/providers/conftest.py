"""What the tests of this room share: far sides that misbehave as told."""

from __future__ import annotations

from tests.bedrock.conftest import start

__all__ = ["start"]
