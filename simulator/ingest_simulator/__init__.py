"""Camera Ingest: simulator."""
