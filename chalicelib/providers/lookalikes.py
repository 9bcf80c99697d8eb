"""Whose key a text looks like, so that one company's key is never sent to another.

Prefixes as their makers' documentation and secret scanners have them (2026-11): GitHub's list of supported secret
patterns; docs.aws.amazon.com, "IAM identifiers", unique ids, and Bedrock's "API keys"; for Google's newer keys
github.com/snailyp/gemini-balance/pull/406. A text that no row fits may be anybody's, and is taken.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple


class _Row(NamedTuple):
    pattern: re.Pattern[str]
    whose: str
    """One of our providers, or empty for somebody else."""
    name: str


_ROWS: Final = tuple(
    _Row(re.compile(pattern, re.ASCII), whose, name)
    for pattern, whose, name in (
        (r"sk-ant-", "anthropic", "an Anthropic key"),
        (r"sk-or-", "", "an OpenRouter key"),
        (r"sk-", "openai", "an OpenAI key"),
        (r"AIza", "google", "a Google key"),
        (r"AQ\.", "google", "a Google key"),
        (r"ABSK", "bedrock", "a Bedrock API key"),
        (r"bedrock-api-key-", "bedrock", "a Bedrock API key"),
        (r"(AKIA|ASIA|AIDA|AROA)[A-Z0-9]{12,}$", "aws", "an AWS access key id"),
        (r"gsk_", "", "a Groq key"),
        (r"xai-", "", "an xAI key"),
        (r"hf_", "", "a Hugging Face token"),
        (r"gh[pousr]_|github_pat_", "", "a GitHub token"),
        (r"pplx-", "", "a Perplexity key"),
        (r"eyJ[\w-]+\.", "", "a JSON Web Token"),
        (r"[0-9a-f]{32}$", "azure", "an Azure key"),
        (r"[A-Za-z0-9]{52}JQQJ99[A-Za-z0-9]{26}$", "azure", "an Azure key"),
    )
)


def looks_like(key: str) -> tuple[str, str] | None:
    """Return whose key this looks like (a provider, `aws`, or empty for none of ours) and what to call it, or None."""
    return next(((row.whose, row.name) for row in _ROWS if row.pattern.match(key)), None)
