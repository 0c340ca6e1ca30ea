"""Knock at a Ray cluster's door: `python -m harness.search.knock HOST:PORT` says as JSON who answers.

A process of its own, for Ray reads mode and token once, when it is imported.
"""

from __future__ import annotations

import json
import sys


def knock(address: str, limit_s: float) -> dict[str, object]:
    """Return whether the cluster let this process in with the token it has, and the addresses of its nodes."""
    import ray
    from ray._raylet import GcsClient  # type: ignore[attr-defined]  # private; the one way to ask without joining

    try:
        nodes = GcsClient(address=address).get_all_node_info(timeout=limit_s)
    except ray.exceptions.AuthenticationError:
        return {"let_in": False, "nodes": []}
    return {
        "let_in": True,
        "nodes": [node.node_manager_address for node in nodes.values() if node.state == 0],
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(knock(sys.argv[1], float(sys.argv[2]))))
