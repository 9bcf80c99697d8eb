"""Inside the customer's account: sessions, the wire, the catalog, and chats translated to Converse and back."""
