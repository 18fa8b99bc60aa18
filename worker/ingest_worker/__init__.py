"""Camera Ingest: worker."""
