"""Rolecall: let a product use its customers' own Amazon Bedrock, through roles that are proven safe."""

VERSION = "0.1.0"
