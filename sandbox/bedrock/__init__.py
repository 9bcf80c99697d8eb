"""Bedrock and Bedrock Runtime of the local AWS: a catalog, AWS's rules and texts, and a fake model that answers.

`RESPONSES` names what the server puts in the place of moto's own handlers: (module with `url_paths`, moto's class,
ours). moto's catch-all path already leads every request of both services to these classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import moto.bedrock.urls
import moto.bedrockruntime.urls
from moto.bedrock.responses import BedrockResponse
from moto.bedrockruntime.responses import BedrockRuntimeResponse

from sandbox.bedrock.control import SandboxBedrock
from sandbox.bedrock.runtime import SandboxBedrockRuntime

if TYPE_CHECKING:
    from types import ModuleType

    from sandbox.bedrock.protocol import BedrockProtocol

RESPONSES: Final[tuple[tuple[ModuleType, type, type[BedrockProtocol]], ...]] = (
    (moto.bedrock.urls, BedrockResponse, SandboxBedrock),
    (moto.bedrockruntime.urls, BedrockRuntimeResponse, SandboxBedrockRuntime),
)
