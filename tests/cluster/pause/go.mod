module camera-ingest.io/tests/cluster/pause

go 1.21
