"""The Pulumi program of the contract tests: it registers the resources that resources.json lists, in that order."""

import json
from pathlib import Path
from typing import Any

import pulumi
import pulumi_docker as docker
from pulumi_command import local, remote

TYPES: dict[str, Any] = {
    "local.Command": local.Command,
    "remote.Command": remote.Command,
    "remote.CopyToRemote": remote.CopyToRemote,
    "docker.Container": docker.Container,
    "docker.Image": docker.Image,
    "docker.Volume": docker.Volume,
}


def resolve(value: Any) -> Any:
    """Turn `{"$secret": X}` into a Pulumi secret and `{"$asset": PATH}` into a file asset, at any depth."""
    if isinstance(value, dict):
        if "$secret" in value:
            return pulumi.Output.secret(value["$secret"])
        if "$asset" in value:
            return pulumi.FileAsset(value["$asset"])
        return {key: resolve(each) for key, each in value.items()}
    if isinstance(value, list):
        return [resolve(each) for each in value]
    return value


for entry in json.loads(Path("resources.json").read_text()):
    if entry["type"] == "local.run":
        pulumi.export(entry["name"], local.run_output(**resolve(entry["args"])).stdout)
    else:
        options = pulumi.ResourceOptions(additional_secret_outputs=entry["secret_outputs"])
        TYPES[entry["type"]](entry["name"], **resolve(entry["args"]), opts=options)
