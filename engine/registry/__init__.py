"""The registry client: OCI distribution-spec 1.1 and Docker's v2 API, over aiohttp. Front door: `client.Registry`."""
