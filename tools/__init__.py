"""The operator's programs: they package, deploy and check Rolecall. Nothing of them is deployed."""
