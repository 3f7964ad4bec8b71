"""Images in the store: pulling, unpacking into snapshots, naming, removing."""
