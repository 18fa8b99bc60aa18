"""Camera Ingest: gateway."""
