"""A Camera and a CameraPool with every field that there is; a test compares them with the CRDs."""

from collections.abc import Iterator
from typing import Any

Object = dict[str, Any]

HEAD: Object = {
    "apiVersion": "camera-ingest.io/v1alpha1",
    "kind": "Camera",
    "metadata": {"name": "lobby"},
}


def defaulted(url: str) -> Object:
    """The spec that the API server has of a Camera of which only its URL was said."""
    return {
        "poolRef": {"name": "default"},
        "source": {
            "rtsp": {
                "url": url,
                "transport": "TCP",
                "session": "Shared",
                "connectTimeoutSeconds": 10,
                "stallTimeoutSeconds": 10,
            }
        },
        "decode": "All",
        "buffer": {"seconds": 10, "maxBytes": 33554432},
        "motion": {"enabled": True, "sensitivity": 50, "minAreaPermille": 2, "cooldownSeconds": 5},
        "weight": 100,
        "suspend": False,
    }


CAMERA: Object = {
    **HEAD,
    "spec": {
        "cameraId": "Lobby_1",
        "poolRef": {"name": "outdoor"},
        "source": {
            "rtsp": {
                "url": "rtsps://camera-17.cameras.example.org:554/Streaming/Channels/102",
                "transport": "UDP",
                "credentialsSecretRef": {
                    "name": "lobby-login",
                    "usernameKey": "user",
                    "passwordKey": "pass",
                },
                "tls": {
                    "caSecretRef": {"name": "cameras-ca", "key": "ca.crt"},
                    "insecureSkipVerify": True,
                },
                "session": "Exclusive",
                "connectTimeoutSeconds": 11,
                "stallTimeoutSeconds": 12,
            }
        },
        "decode": "Keyframes",
        "buffer": {"seconds": 11, "maxBytes": 1000000},
        "motion": {
            "enabled": False,
            "sensitivity": 51,
            "minAreaPermille": 3,
            "cooldownSeconds": 6,
            "masks": [
                {
                    "name": "tree",
                    "polygon": [
                        {"xPermille": 0, "yPermille": 1},
                        {"xPermille": 1000, "yPermille": 2},
                        {"xPermille": 3, "yPermille": 1000},
                    ],
                }
            ],
        },
        "weight": 101,
        "suspend": True,
    },
}
PUSH: Object = {
    "push": {
        "tokenSecretRef": {"name": "gate-token", "key": "token"},
        "maxFrameBytes": 1024,
        "maxFPS": 5,
    }
}
TIME = "2026-11-22T09:00:00Z"
CAMERA_STATUS: Object = {
    "observedGeneration": 3,
    "assignment": {"worker": "outdoor-0", "previous": "outdoor-2", "epoch": 4, "time": TIME},
    "stream": {
        "worker": "outdoor-0",
        "epoch": 4,
        "releasedEpoch": 5,
        "codec": "h264",
        "width": 1920,
        "height": 1080,
        "connectedTime": TIME,
        "sessions": 7,
    },
    "conditions": [
        {
            "type": kind,
            "status": "False",
            "reason": "AuthenticationFailed",
            "message": "the camera refused the login of Secret lobby-login: 401 Unauthorized",
            "lastTransitionTime": TIME,
            "observedGeneration": 3,
        }
        for kind in ("Assigned", "Connected", "Ready")
    ],
}

POOL: Object = {
    "apiVersion": "camera-ingest.io/v1alpha1",
    "kind": "CameraPool",
    "metadata": {"name": "outdoor"},
    "spec": {
        "replicas": 3,
        "autoscaling": {"minReplicas": 2, "maxReplicas": 9, "targetUtilizationPercent": 70},
        "spareWorkers": 1,
        "worker": {
            "image": "registry.example.org/camera-ingest:0.1.0",
            "imagePullPolicy": "IfNotPresent",
            "weightCapacity": 2000,
            "maxCameras": 50,
            "resources": {
                "requests": {"cpu": 2, "memory": "1Gi", "ephemeral-storage": "1.5e3"},
                "limits": {"cpu": "2500m", "memory": "2Gi", "example.org/vpu": "1"},
            },
            "nodeSelector": {"kubernetes.io/arch": "amd64"},
            "tolerations": [
                {
                    "key": "cameras",
                    "operator": "Equal",
                    "value": "only",
                    "effect": "NoExecute",
                    "tolerationSeconds": 30,
                }
            ],
            "affinity": {
                "nodeAffinity": {
                    "requiredDuringSchedulingIgnoredDuringExecution": {
                        "nodeSelectorTerms": [
                            {"matchExpressions": [{"key": "gpu", "operator": "DoesNotExist"}]}
                        ]
                    }
                },
                "podAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []},
                "podAntiAffinity": {
                    "preferredDuringSchedulingIgnoredDuringExecution": [
                        {
                            "weight": 100,
                            "podAffinityTerm": {
                                "topologyKey": "kubernetes.io/hostname",
                                "labelSelector": {"matchLabels": {"a": "b"}},
                                "mismatchLabelKeys": ["c"],
                            },
                        }
                    ]
                },
            },
            "topologySpreadConstraints": [
                {
                    "maxSkew": 1,
                    "topologyKey": "topology.kubernetes.io/zone",
                    "whenUnsatisfiable": "ScheduleAnyway",
                    "labelSelector": {
                        "matchLabels": {"a": "b"},
                        "matchExpressions": [{"key": "a", "operator": "In", "values": ["b", "c"]}],
                    },
                    "matchLabelKeys": ["pod-template-hash"],
                    "minDomains": 2,
                    "nodeAffinityPolicy": "Honor",
                    "nodeTaintsPolicy": "Ignore",
                }
            ],
            "priorityClassName": "cameras",
            "serviceAccountAnnotations": {"example.org/role": "arn:aws:iam::1:role/cameras"},
            "podLabels": {"team": "video"},
            "podAnnotations": {"example.org/scrape": "true"},
            "env": [
                {"name": "TZ", "value": "Europe/Berlin"},
                {
                    "name": "HTTPS_PROXY",
                    "valueFrom": {
                        "secretKeyRef": {"name": "proxy", "key": "url", "optional": True}
                    },
                },
                {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
            ],
            "envFrom": [
                {"prefix": "A_", "configMapRef": {"name": "a", "optional": True}},
                {"secretRef": {"name": "b", "optional": False}},
            ],
            "volumes": [{"name": "ca", "secret": {"secretName": "redis-ca"}}],
            "volumeMounts": [
                {"name": "ca", "mountPath": "/ca", "subPath": "ca.crt", "readOnly": True}
            ],
            "terminationGracePeriodSeconds": 90,
            "redisUrlSecretRef": {"name": "redis", "key": "url"},
        },
        "lease": {"durationSeconds": 15, "renewSeconds": 5},
        "rebalance": {"maxMovesPerMinute": 5, "skewPercent": 30},
    },
}
POOL_STATUS: Object = {
    "observedGeneration": 3,
    "replicas": 3,
    "readyReplicas": 2,
    "workers": 2,
    "selector": "camera-ingest.io/pool=outdoor",
    "cameras": 41,
    "assigned": 40,
    "unassigned": 1,
    "utilizationPercent": 63,
    "conditions": [
        {
            "type": kind,
            "status": "False",
            "reason": "WorkersMissing",
            "message": "2 of 3 workers are ready",
            "lastTransitionTime": TIME,
            "observedGeneration": 3,
        }
        for kind in ("Ready", "Progressing", "CapacityExhausted")
    ],
}


def paths(raw: Any, at: str = "") -> Iterator[str]:
    """Every field of a manifest."""
    if isinstance(raw, dict):
        for key, value in raw.items():
            yield f"{at}.{key}"
            yield from paths(value, f"{at}.{key}")
    elif isinstance(raw, list):
        for one in raw:
            yield from paths(one, f"{at}[]")


def known(schema: Object, at: str = "") -> Iterator[str]:
    """Every field of a schema; what is kept as it is has none."""
    for key, one in schema.get("properties", {}).items():
        yield f"{at}.{key}"
        yield from known(one, f"{at}.{key}")
    if isinstance(schema.get("items"), dict):
        yield from known(schema["items"], f"{at}[]")
