"""Programs that package, deploy, check and describe Rolecall. Nothing of them is deployed."""
