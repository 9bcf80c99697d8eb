"""A fast AWS to measure against: STS, DynamoDB and Bedrock, as far as a warm chat needs them.

It answers in a tenth of the time that boto3 takes to ask, which no realistic local AWS does. It refuses a call that is
not signed with a key that it knows or a session that it gave; signatures themselves are proven elsewhere, in tests.
"""
