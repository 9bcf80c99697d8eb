"""The quick-create link: CloudFormation's console with the role's template and this connection's values filled in.

CloudFormation reads a template from S3 alone, so the operator must have a bucket that customers can read; without one
there is no link. What is in the bucket is the same for all customers of a region, so a connection with a model scope or
a guardrail, whose permissions are its own, gets none either. Form of the link: CloudFormation user guide, "Create
quick-create links for CloudFormation stacks".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from chalicelib.identifiers import RoleArn, partition_of
from chalicelib.onboarding.documents import templates
from chalicelib.onboarding.documents.scope import WIDTHS, Scope

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chalicelib.identifiers import ExternalId
    from chalicelib.onboarding.connection import Connection

_CONSOLES: Final = {
    "aws": "https://{region}.console.aws.amazon.com",
    "aws-us-gov": "https://console.amazonaws-us-gov.com",
    "aws-cn": "https://console.amazonaws.cn",
}
_OWN_DEFAULT: Final = re.compile(r'^ *Default: "\$\{(?:role_name|external_ids)\}"\n', re.MULTILINE)
_TEMPLATE: Final = "customer-role.cfn.yaml"


def template_name(region: str) -> str:
    """Return the file's name in the operator's bucket."""
    return f"customer-role-{region}.cfn.yaml"


def shared_template(region: str, service_role: RoleArn) -> str:
    """Return the template for all customers of a region: the role's name and the external ID must be given to it."""
    scope = Scope(service_role.partition, region, None, None, None)
    permissions = templates.policy("permissions-policy.json", scope.values(templates.CALLERS_ACCOUNT, WIDTHS[0]))
    values: dict[str, templates.Json] = {
        "permissions_policy": permissions,
        "service_account_id": service_role.account_id,
        "service_role_arn": str(service_role),
    }
    return templates.file(_TEMPLATE, values, templates.cloudformation, without=_OWN_DEFAULT)


def quick_create_url(connection: Connection, external_ids: Sequence[ExternalId], place: str | None) -> str | None:
    """Return the link, or None where there is none. `place` is the address of the operator's templates."""
    console = _CONSOLES.get(partition_of(connection.region).id)
    own = connection.models is not None or connection.guardrail is not None
    if place is None or console is None or own:
        return None
    role_name = connection.id.role_name
    fields = {
        "templateURL": f"{place}/{template_name(connection.region)}",
        "stackName": role_name,
        "param_RoleName": role_name,
        "param_ExternalId": ",".join(map(str, external_ids)),
    }
    query = "&".join(f"{name}={quote(text, safe='')}" for name, text in fields.items())
    home = console.format(region=connection.region)
    return f"{home}/cloudformation/home?region={connection.region}#/stacks/quickcreate?{query}"
