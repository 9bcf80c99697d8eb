# An IAM role that lets Rolecall list and invoke Amazon Bedrock models in this account, and nothing else.
# Apply it with credentials of your account, then give Rolecall the output role_arn.

terraform {
  required_version = ">= 1.2"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

data "aws_caller_identity" "current" {}

locals {
  # The account that the connection is for; * when Rolecall has not been told.
  rolecall_account_id = "${expected_account_id}"

  rolecall_trust_policy = "${trust_policy}"

  rolecall_permissions_policy = "${permissions_policy}"
}

resource "aws_iam_role" "rolecall" {
  name                 = "${role_name}"
  description          = "Lets Rolecall list and invoke Amazon Bedrock models"
  max_session_duration = 3600
  assume_role_policy   = jsonencode(local.rolecall_trust_policy)

  lifecycle {
    precondition {
      condition     = contains(["*", data.aws_caller_identity.current.account_id], local.rolecall_account_id)
      error_message = "These credentials are of another AWS account than the one that the connection is for."
    }
  }
}

resource "aws_iam_role_policy" "rolecall" {
  name   = "RolecallBedrock"
  role   = aws_iam_role.rolecall.id
  policy = jsonencode(local.rolecall_permissions_policy)
}

output "role_arn" {
  description = "Give this to Rolecall, which then verifies the role."
  value       = aws_iam_role.rolecall.arn
}
