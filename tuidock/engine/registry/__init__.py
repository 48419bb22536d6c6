"""The registry client: addresses, credentials, authentication, blobs and manifests over HTTP; knows no store."""
