#!/usr/bin/env bash
# Creates or updates the IAM role that lets Rolecall list and invoke Amazon Bedrock models in your account, and
# nothing else. Run it with the AWS CLI's credentials of an administrator, for example in AWS CloudShell. Running it
# again sets the role's trust policy and its policy RolecallBedrock to what stands here, and changes nothing else.
set -euo pipefail
export AWS_PAGER=""

role_name="${role_name}"
# The account that the connection is for; * when Rolecall has not been told.
expected_account="${expected_account_id}"

trust_policy() {
  cat <<'END_OF_TRUST_POLICY'
"${trust_policy}"
END_OF_TRUST_POLICY
}

permissions_policy() {
  cat <<'END_OF_PERMISSIONS_POLICY'
"${permissions_policy}"
END_OF_PERMISSIONS_POLICY
}

account="$(aws sts get-caller-identity --query Account --output text)"
if [ "$expected_account" != "*" ] && [ "$expected_account" != "$account" ]; then
  echo "These credentials are of AWS account $account; the connection is for $expected_account." >&2
  echo "Nothing was changed. Run this again with credentials of account $expected_account." >&2
  exit 1
fi

if aws iam get-role --role-name "$role_name" >/dev/null 2>&1; then
  echo "Role $role_name exists in account $account: updating its policies."
  aws iam update-assume-role-policy --role-name "$role_name" --policy-document "$(trust_policy)"
else
  echo "Creating role $role_name in account $account."
  aws iam create-role \
    --role-name "$role_name" \
    --description "Lets Rolecall list and invoke Amazon Bedrock models" \
    --max-session-duration 3600 \
    --assume-role-policy-document "$(trust_policy)" >/dev/null
fi
aws iam put-role-policy \
  --role-name "$role_name" \
  --policy-name RolecallBedrock \
  --policy-document "$(permissions_policy)"

echo "Done. IAM needs a few seconds until the role can be used everywhere. Give Rolecall this role ARN to verify:"
aws iam get-role --role-name "$role_name" --query Role.Arn --output text
