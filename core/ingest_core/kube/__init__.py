"""The API server, as every program of ours sees it. Only this package imports `kubernetes`."""
