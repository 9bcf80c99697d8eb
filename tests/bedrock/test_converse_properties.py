"""Any chat that we translate is one that Bedrock takes: held against its model, and against the strict local Bedrock."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.bedrock.converse import to_converse
from chalicelib.chat import ChatRequest
from chalicelib.errors import ServiceError
from sandbox.aws.authentication import AwsError
from sandbox.bedrock.catalog import CATALOG
from sandbox.bedrock.constraints import checked
from sandbox.bedrock.features import check_conversation
from tests.bedrock.converse_shape import hold

MODELS = [model for model in CATALOG.models.values() if model.chat is not None]
