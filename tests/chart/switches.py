"""Combinations of the chart's switches: each alone, all together, none, and pairs that meet."""

from collections.abc import Mapping
from functools import reduce
from typing import Any, Final

from tests.chart.rendering import Values

EXTRAS: Final[dict[str, Any]] = {
    "labels": {"team": "video"},
    "annotations": {"note": "video"},
    "podLabels": {"team": "video"},
    "podAnnotations": {"note": "video"},
    "env": [{"name": "CAMERA_INGEST_LISTEN", "value": ":9000"}, {"name": "TZ", "value": "UTC"}],
    "envFrom": [{"configMapRef": {"name": "more"}}],
    "volumes": [{"name": "more", "emptyDir": {}}],
    "volumeMounts": [{"name": "more", "mountPath": "/more"}],
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"key": "video", "operator": "Exists"}],
    "affinity": {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [
                    {"matchExpressions": [{"key": "video", "operator": "Exists"}]}
                ]
            }
        }
    },
}
PEERS: Final = [{"ipBlock": {"cidr": "10.0.0.0/8"}}]
RELABELINGS: Final = [{"sourceLabels": ["__meta_kubernetes_pod_node_name"], "targetLabel": "node"}]
ROUTE: Final = {"enabled": True, "parentRefs": [{"name": "edge"}]}

CASES: Final[dict[str, Values]] = {
    "defaults": {},
    "names": {
        "fullnameOverride": "video",
        "commonLabels": {"team": "video"},
        "commonAnnotations": {"note": "video"},
        "operator": {"serviceAccount": {"create": False, "name": "mine"}},
        "gateway": {"serviceAccount": {"create": False, "name": "theirs"}},
    },
    "image": {
        "image": {
            "digest": f"sha256:{'0' * 64}",
            "pullSecret": "registry",
            "pullPolicy": "Always",
        }
    },
    "namespace rights only": {"crds": {"install": False}},
    "no rights at all": {"crds": {"install": False}, "rbac": {"create": False}},
    "as OpenShift wants": {
        "runAsUser": "platform",
        "networkPolicy": {"enabled": True, "dnsPorts": [5353]},
        "redis": {"bundled": {"enabled": True}},
    },
    "one of each": {"operator": {"replicas": 1}, "gateway": {"replicas": 1}},
    "extras": {"operator": EXTRAS, "gateway": EXTRAS},
    "autoscaled gateway": {"gateway": {"autoscaling": {"enabled": True}}},
    "load balancer": {
        "gateway": {
            "service": {
                "type": "LoadBalancer",
                "loadBalancerSourceRanges": ["10.0.0.0/8"],
                "loadBalancerClass": "example.com/internal",
                "externalTrafficPolicy": "Local",
            }
        }
    },
    "node port": {"gateway": {"service": {"type": "NodePort", "nodePort": 30080}}},
    "ingress": {
        "gateway": {
            "ingress": {
                "enabled": True,
                "className": "contour",
                "tls": [{"hosts": ["cameras.example.com"], "secretName": "tls"}],
            }
        }
    },
    "route": {"gateway": {"httpRoute": ROUTE}},
    "no pool": {"pool": {"enabled": False}},
    "pool scales itself": {"pool": {"spec": {"autoscaling": {"maxReplicas": 5}}}},
    "pool scaled by HPA": {"pool": {"autoscaling": {"kind": "HorizontalPodAutoscaler"}}},
    "pool scaled by KEDA": {"pool": {"autoscaling": {"kind": "ScaledObject"}}},
    "bundled Redis": {"redis": {"bundled": {"enabled": True}}},
    "Redis by URL": {"redis": {"url": "rediss+sentinel://u:p%40@a:1,b:2/main"}},
    "Redis by Secret": {"redis": {"existingSecret": "redis"}},
    "monitoring": {
        "monitoring": {
            "serviceMonitor": {
                "enabled": True,
                "labels": {"release": "prometheus"},
                "interval": "1m30s",
                "scrapeTimeout": "20s",
                "relabelings": RELABELINGS,
            },
            "podMonitor": {
                "enabled": True,
                "interval": "0",  # as Prometheus does by itself
                "relabelings": RELABELINGS,
            },
            "prometheusRule": {
                "enabled": True,
                "alertLabels": {"team": "video"},
                "for": {"CameraDown": "1h30m", "CameraFramesStale": "1d", "CameraWorkerLost": "0"},
            },
            "dashboard": {"enabled": True},
        }
    },
    "network": {"networkPolicy": {"enabled": True}},
    "network and bundled Redis": {
        "networkPolicy": {"enabled": True, "cameras": PEERS},
        "redis": {"bundled": {"enabled": True}},
    },
    "network, all of it given": {
        "networkPolicy": {
            "enabled": True,
            "gatewayFrom": PEERS,
            "metricsFrom": [{"namespaceSelector": {}}],
            "cameras": PEERS,
            "redis": PEERS,
            "redisFrom": PEERS,
            "redisPorts": [6380],
            "apiServer": PEERS,
        },
        "redis": {"existingSecret": "redis"},
    },
    "admission": {"admissionPolicy": {"enabled": True}},
    "priority": {"priorityClass": {"create": True}},
    "priority that is there": {"priorityClass": {"name": "high"}},
}


def merged(one: Values, other: Values) -> dict[str, Any]:
    """Both, level by level; the other in the place of one."""
    both = {**one, **other}
    for key in one.keys() & other.keys():
        if isinstance(one[key], Mapping):
            both[key] = merged(one[key], other[key])
    return both


_FIT: Final = (
    "extras",
    "autoscaled gateway",
    "ingress",
    "route",
    "pool scaled by KEDA",
    "bundled Redis",
    "monitoring",
    "network, all of it given",
    "admission",
    "priority",
)
CASES["everything"] = merged(
    reduce(merged, (CASES[name] for name in _FIT)), {"redis": {"existingSecret": ""}}
)
