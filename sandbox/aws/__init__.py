"""The local AWS: one port for STS, IAM, DynamoDB and Bedrock, strict where moto is not.

Every call passes one door: its SigV4 signature is checked, its caller's policies are looked up, it is recorded, and a
fault may be played. IAM and DynamoDB are then moto's; STS and Bedrock are our own, because moto's STS lets every
external ID in and its Bedrock lists nothing and answers nothing.
"""
