"""A camera that pushes: a Camera of the name NAME, whose device must have TOKEN."""

from typing import Final

NAME: Final = "gate"
TOKEN: Final = "only-this-device"
MANIFEST: Final = f"""\
apiVersion: v1
kind: Secret
metadata: {{name: gate-token}}
stringData: {{token: {TOKEN}}}
---
apiVersion: camera-ingest.io/v1alpha1
kind: Camera
metadata: {{name: {NAME}}}
spec:
  source:
    push: {{tokenSecretRef: {{name: gate-token, key: token}}}}
"""
