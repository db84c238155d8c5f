"""Start one asset backfill of the whole chain: all images, or the keys given as arguments.

Run it while ``make ui`` is running. Unlike ``dagster job backfill``, an asset backfill obeys the
assets' backfill policy, so hundreds of images are one run.
"""

from __future__ import annotations

import json
import sys
import urllib.request

GRAPHQL = "http://127.0.0.1:3000/graphql"
ASSETS = (
    "source_image",
    "scene_analysis",
    "movement_prediction",
    "motion_prompt",
    "generated_picture",
    "animatic_clip",
)
MUTATION = """
mutation ($parameters: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $parameters) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
  }
}
"""


def main(image_keys: list[str]) -> None:
    """Ask the webserver, and print what it answers."""
    chosen = {"partitionNames": image_keys} if image_keys else {"allPartitions": True}
    parameters = {"assetSelection": [{"path": [asset]} for asset in ASSETS], **chosen}
    body = json.dumps({"query": MUTATION, "variables": {"parameters": parameters}}).encode()
    request = urllib.request.Request(GRAPHQL, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        print(json.dumps(json.load(answer)["data"]["launchPartitionBackfill"]))


if __name__ == "__main__":
    main(sys.argv[1:])
