"""Every error code of the API in one table: its HTTP status, OpenAI's error type, and what it means.

Clients may rely on codes; messages are for people. The documents print this table, and a test holds it against the
code: every code that is raised stands here, and every row is raised somewhere.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from chalicelib.errors import ServiceError

_INVALID = "invalid_request_error"
_AUTHENTICATION = "authentication_error"
_PERMISSION = "permission_error"
_RATE = "rate_limit_error"
_API = "api_error"

UNEXPECTED: Final = "internal_error"


class Row(NamedTuple):
    """How a code is answered."""

    status: int
    type: str
    meaning: str


CODES: Final[dict[str, Row]] = {
    # The request itself
    "invalid_json": Row(400, _INVALID, "The body is not one JSON object in UTF-8, or is nested too deeply."),
    "duplicate_key": Row(400, _INVALID, "A key stands twice in one JSON object."),
    "missing_field": Row(400, _INVALID, "A required field is missing."),
    "unknown_field": Row(400, _INVALID, "The route has no such field."),
    "invalid_type": Row(400, _INVALID, "A field has the wrong JSON type."),
    "invalid_value": Row(400, _INVALID, "A field has a value that it can't have."),
    "repeated_header": Row(400, _INVALID, "A header was sent twice."),
    "invalid_cursor": Row(400, _INVALID, "The cursor is not one that the list gave."),
    "external_id_not_settable": Row(400, _INVALID, "The request names an external ID; nobody can choose one."),
    "unsupported_media_type": Row(415, _INVALID, "The body must be JSON, and not compressed."),
    "body_too_large": Row(413, _INVALID, "The body is larger than the route takes."),
    "unknown_route": Row(404, _INVALID, "There is no such route."),
    "method_not_allowed": Row(405, _INVALID, "The route has no such method; the header Allow names those it has."),
    # Who asks
    "missing_token": Row(401, _AUTHENTICATION, "No bearer token was sent."),
    "invalid_token": Row(401, _AUTHENTICATION, "The token is not one that this service accepts."),
    "token_expired": Row(401, _AUTHENTICATION, "The token's time is over."),
    "token_not_yet_valid": Row(401, _AUTHENTICATION, "The token's time has not come."),
    "token_too_large": Row(400, _INVALID, "The token has more than 8 KB."),
    "several_authorization_headers": Row(400, _INVALID, "Two tokens were sent."),
    "tenant_missing": Row(403, _PERMISSION, "The token names no tenant."),
    "insufficient_scope": Row(403, _PERMISSION, "The token lacks the scope of this route."),
    "keys_unavailable": Row(503, _API, "The token issuer's keys can't be had at the moment."),
    # What a request names
    "unknown_region": Row(422, _INVALID, "There is no such AWS region."),
    "no_fips_endpoint": Row(422, _INVALID, "The deployment uses FIPS endpoints, and the region has none for Bedrock."),
    "partition_mismatch": Row(422, _INVALID, "The role or region is in another AWS partition than this service."),
    "invalid_account_id": Row(422, _INVALID, "An AWS account number has twelve digits."),
    "account_mismatch": Row(422, _INVALID, "The role is in another account than the connection says."),
    "placeholder": Row(422, _INVALID, "The value is the placeholder of an example."),
    "invalid_character": Row(422, _INVALID, "An ARN holds a character that no ARN has."),
    "not_a_role_arn": Row(422, _INVALID, "The text is not the ARN of an IAM role."),
    "service_linked_role": Row(422, _INVALID, "A service-linked role can't be assumed."),
    "own_account_role": Row(422, _INVALID, "The role is in this service's own account."),
    "invalid_model_id": Row(422, _INVALID, "The text can't be used as a model."),
    "invalid_guardrail": Row(422, _INVALID, "The text is not a guardrail of the connection's region and account."),
    # Connections
    "connection_not_found": Row(404, _INVALID, "There is no such connection for this tenant."),
    "document_not_found": Row(404, _INVALID, "A connection has no document of this name."),
    "report_not_found": Row(404, _INVALID, "The connection was never verified."),
    "connection_revoked": Row(409, _INVALID, "The connection was deleted."),
    "connection_not_revoked": Row(409, _INVALID, "The connection must be deleted first."),
    "rotation_not_possible": Row(409, _INVALID, "Only an active connection's external ID can be replaced."),
    "rotation_not_under_way": Row(409, _INVALID, "There is no new external ID to call off."),
    "if_match_required": Row(428, _INVALID, "A change must name the version that it is made to, in If-Match."),
    "connection_changed": Row(409, _INVALID, "Another request changed the connection in the meantime."),
    "connection_expired": Row(409, _INVALID, "The connection was not verified in 48 hours."),
    "verification_running": Row(409, _INVALID, "A verification of the connection is under way."),
    "too_many_verifications": Row(429, _RATE, "The tenant has started too many verifications in this minute."),
    "too_many_connections": Row(429, _RATE, "The tenant was given too many external IDs on this day."),
    "idempotency_key_reused": Row(409, _INVALID, "The Idempotency-Key was used for other content."),
    "connection_required": Row(400, _INVALID, "The tenant has no active connection."),
    "connection_ambiguous": Row(400, _INVALID, "The tenant has several active connections; name one."),
    "connection_not_active": Row(403, _PERMISSION, "The connection is not active."),
    "model_not_in_scope": Row(403, _PERMISSION, "The connection's model scope leaves this model out."),
    "tenant_rate_limited": Row(429, _RATE, "The tenant has made as many requests to models as it may in a minute."),
    # Keys that come with a request
    "unknown_provider": Row(400, _INVALID, "There is no such provider."),
    "provider_required": Row(400, _INVALID, "A key was sent, and not whose it is."),
    "provider_key_incomplete": Row(400, _INVALID, "A part of the credential is missing, or one that it can't have."),
    "provider_mismatch": Row(400, _INVALID, "Key, model or another part belongs to another provider than is named."),
    "two_credentials": Row(400, _INVALID, "The request names two credentials; it can go out with one alone."),
    "malformed_provider_key": Row(400, _INVALID, "A part of the credential can't be what it is sent as."),
    "invalid_azure_endpoint": Row(422, _INVALID, "The address is not that of an Azure OpenAI resource."),
    "provider_not_supported": Row(400, _INVALID, "The route does not go to this provider."),
    "model_not_supported": Row(400, _INVALID, "The model is not one for this route."),
    "too_many_key_checks": Row(429, _RATE, "Too many keys of the tenant or of the token's subject were tried lately."),
    "provider_key_rejected": Row(401, _AUTHENTICATION, "The provider does not take the key."),
    "provider_permission_denied": Row(403, _PERMISSION, "The provider knows the key and does not let it do this."),
    "deployments_not_listed": Row(404, _INVALID, "The resource's deployments can't be listed; their names are typed."),
    # What AWS answered in the customer's account
    "unsupported_parameter": Row(400, _INVALID, "A field asks for what this service or the model can't do."),
    "thread_unsupported_request": Row(400, _INVALID, "Bedrock keeps no threads of Anthropic's Messages."),
    "context_length_exceeded": Row(400, _INVALID, "The chat is longer than the model takes."),
    "inference_profile_required": Row(400, _INVALID, "The model can only be called through an inference profile."),
    "conflict": Row(400, _INVALID, "AWS refused the request as conflicting."),
    "model_not_found": Row(404, _INVALID, "There is no such model for this connection."),
    "model_end_of_life": Row(404, _INVALID, "The model has reached the end of its life."),
    "model_legacy": Row(404, _INVALID, "The model is legacy, and the account has not used it lately."),
    "assume_role_denied": Row(403, _PERMISSION, "The customer's role did not let us in."),
    "role_identity_changed": Row(403, _PERMISSION, "The role was deleted and made anew since it was verified."),
    "operator_may_not_assume": Row(403, _PERMISSION, "This service's own role lacks sts:AssumeRole on the role."),
    "role_permission_denied": Row(403, _PERMISSION, "The role lets us in but its permissions do not allow the call."),
    "permissions_boundary_denied": Row(403, _PERMISSION, "The role's permissions boundary does not allow the call."),
    "explicitly_denied": Row(403, _PERMISSION, "A policy of the role denies the call in so many words."),
    "model_access_denied": Row(403, _PERMISSION, "The account has no access to the model."),
    "model_subscription_required": Row(403, _PERMISSION, "The account must subscribe to the model first."),
    "model_use_case_required": Row(403, _PERMISSION, "The account must fill in the model's use case form first."),
    "guardrail_required": Row(403, _PERMISSION, "The account requires a guardrail that the connection lacks."),
    "scp_denied": Row(403, _PERMISSION, "An organization policy of the customer denies the call."),
    "account_not_authorized": Row(403, _PERMISSION, "AWS does not let the account use Bedrock."),
    "sts_region_disabled": Row(403, _PERMISSION, "STS is not active for the region in the customer's account."),
    "session_too_long": Row(403, _PERMISSION, "The role's longest session is shorter than one hour."),
    "invalid_aws_credentials": Row(401, _AUTHENTICATION, "AWS does not accept the credentials."),
    "expired_credentials": Row(502, _API, "The session's time was over."),
    "rate_limit_exceeded": Row(429, _RATE, "AWS throttled the customer's account."),
    "daily_token_quota_exceeded": Row(429, "insufficient_quota", "The account's daily quota is used up."),
    "insufficient_quota": Row(429, "insufficient_quota", "The account's quota is used up."),
    "model_not_ready": Row(503, _API, "The model is being loaded."),
    "model_timeout": Row(504, _API, "The model took too long."),
    "model_error": Row(502, _API, "The model failed."),
    "upstream_error": Row(502, _API, "Bedrock failed."),
    "upstream_unreachable": Row(502, _API, "Bedrock could not be reached."),
    "upstream_timeout": Row(504, _API, "Bedrock did not answer in time."),
    "service_unavailable": Row(503, _API, "Bedrock is busy."),
    "unrecognised": Row(502, _API, "AWS answered with something that this service does not know."),
    # API Gateway, before this service saw the request
    "too_many_requests": Row(429, _RATE, "The deployment takes no more requests now."),
    "request_timeout": Row(504, _API, "The answer took longer than the route may take."),
    "request_refused": Row(400, _INVALID, "API Gateway refused the request; the status says which kind it is."),
    # The operator's model
    "completions_not_configured": Row(501, _API, "The operator has set no built-in model."),
    "completion_tokens_used_up": Row(429, "insufficient_quota", "The tenant's tokens of this day are used up."),
    "built_in_model_unavailable": Row(502, _API, "The operator's model can't be called."),
    # This service
    "service_credentials_invalid": Row(503, _API, "This service's own AWS credentials do not work."),
    "storage_unavailable": Row(503, _API, "The service's storage can't be reached."),
    UNEXPECTED: Row(500, _API, "Something went wrong on our side."),
}


NO_ROUTE: Final = ServiceError(
    "unknown_route",
    "There is no such route.",
    fix="/docs lists the routes. OpenAI's clients want a base address that ends in /v1, Anthropic's one without it.",
)
"""What is said of a path that leads nowhere: by API Gateway when deployed, by the local server in its place."""


def said(error: ServiceError) -> str:
    """Return an error's text with the field that it is of: OpenAI's clients show nothing else when they raise."""
    if error.param is None or error.param in error.message or CODES[error.code].status not in {400, 422}:
        return error.message
    return f"{error.param}: {error.message}"


def envelope(error: ServiceError, request_id: str) -> dict[str, object]:
    """Return the body of an error: OpenAI's fields, and `fix` and `whose_fix` where they are known."""
    body: dict[str, object] = {
        "message": said(error),
        "type": CODES[error.code].type,
        "code": error.code,
        "param": error.param,
        "request_id": request_id,
    }
    if error.fix is not None:
        body["fix"] = error.fix
    if error.whose_fix is not None:
        body["whose_fix"] = error.whose_fix
    return {"error": body}
