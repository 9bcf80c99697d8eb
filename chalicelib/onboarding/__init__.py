"""The domain: connections, the documents that customers get, and the verification that makes a connection active."""
