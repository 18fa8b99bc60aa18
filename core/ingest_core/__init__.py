"""Camera Ingest: core."""
