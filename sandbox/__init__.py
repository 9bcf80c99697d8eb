"""The other side, for people and tests: a local AWS that enforces its rules, and Rolecall served on it."""
