"""What a policy says of a request: an evaluator of IAM policies, made for trust policies. Pure: no I/O, no AWS.

Sources: IAM user guide, "Policy evaluation logic", "Condition operators", "Set operators for multi-valued context
keys", "Policy variables" and "AWS JSON policy elements: Principal".
"""

from chalicelib.trust.document import PermissionsPolicy, Policy, Statement, TrustPolicy
from chalicelib.trust.evaluation import Decision, decide, may_assume
from chalicelib.trust.reading import MalformedPolicyError, stored_length
from chalicelib.trust.request import Request

__all__ = [
    "Decision",
    "MalformedPolicyError",
    "PermissionsPolicy",
    "Policy",
    "Request",
    "Statement",
    "TrustPolicy",
    "decide",
    "may_assume",
    "stored_length",
]
