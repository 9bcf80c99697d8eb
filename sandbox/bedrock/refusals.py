"""The two ways in which Bedrock words a bad request: its own, and the model provider's."""

from __future__ import annotations

from sandbox.aws.authentication import AwsError


def refused(text: str) -> AwsError:
    """Return what Converse itself says."""
    return AwsError("ValidationException", text, 400)


def model_refused(text: str) -> AwsError:
    """Return what the model's provider says, passed on."""
    return refused(f"The model returned the following errors: {text}")


def unsupported(field: str) -> AwsError:
    """Return Converse's answer to a field that this model does not take."""
    name = field.rpartition(".")[2] if field.count(".") < 2 else field
    return refused(f"This model doesn't support the {name} field. Remove {name} and try again.")
