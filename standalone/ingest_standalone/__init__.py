"""Camera Ingest: standalone."""
