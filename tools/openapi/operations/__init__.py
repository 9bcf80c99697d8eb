"""What is said of each route, by tag."""

from __future__ import annotations

from typing import Final

from tools.openapi.operation import LeftOut
from tools.openapi.operations import connections, keys, models, native, service, verification

OPERATIONS: Final = (
    *service.OPERATIONS,
    *connections.OPERATIONS,
    *verification.OPERATIONS,
    *models.OPERATIONS,
    *native.OPERATIONS,
    *keys.OPERATIONS,
)
TAGS: Final = {
    "Service": "What can be asked of the service itself.",
    "Connections": "One customer role for one tenant: its life, from external ID to proof of removal.",
    "Verification": "Proof that a role lets this service in with its external ID, and nobody without it.",
    "Models": "What a connection, or a key, can call.",
    "Chats": "OpenAI's chats. With a connection they go to the customer's Bedrock, with a key to its provider.",
    "Completions": "OpenAI's older completions, to fill a gap in a text: the operator's own model answers.",
    "Messages": "Anthropic's Messages, for Claude models.",
    "Embeddings": "OpenAI's embeddings, for Titan's and Cohere's models.",
    "Keys": "Keys that come with a request, instead of a role. They are never stored.",
}
LEFT_OUT: Final = (
    LeftOut("/", "the wizard: a page for people"),
    LeftOut("/wizard/*", "the wizard's files: for its page alone"),
    LeftOut("/docs", "the page that shows this document"),
    LeftOut("/docs/*", "that page's files"),
)
