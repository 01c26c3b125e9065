#!/usr/bin/env python3
"""Make an OCI layout for tests: oci.py DIR BUSYBOX_TAR_GZ

Its image `demo` has three layers: the busybox archive (gzip), one with a file and a whiteout (zstd), one plain.
Its index `multi` names demo for this machine and another one for linux/other. Prints the image's id.
"""
import gzip
import hashlib
import io
import json
import os
import platform
import subprocess
import sys
import tarfile

top, busybox = sys.argv[1:]
os.makedirs(f"{top}/blobs/sha256")
MACHINE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
OCI = "application/vnd.oci.image."


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def put(data, kind):
    with open(f"{top}/blobs/sha256/{digest(data)[7:]}", "wb") as file:
        file.write(data)
    return {"mediaType": OCI + kind, "digest": digest(data), "size": len(data)}


def put_json(value, kind):
    return put(json.dumps(value).encode(), kind)


def tar(*files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in files:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def image(architecture, layers):
    config = put_json({
        "architecture": architecture, "os": "linux",
        "config": {"Cmd": ["cat", "/two"], "Env": ["PATH=/bin", "WHO=oci"]},
        "rootfs": {"type": "layers", "diff_ids": [diff for _, diff in layers]},
    }, "config.v1+json")
    manifest = put_json({
        "schemaVersion": 2, "mediaType": OCI + "manifest.v1+json",
        "config": config, "layers": [layer for layer, _ in layers],
    }, "manifest.v1+json")
    return config, manifest


with open(busybox, "rb") as source:
    first = source.read()
second = tar(("two", b"two\n"), ("etc/.wh.hostname", b""))
third = tar(("three", os.urandom(300000)))
zstd = subprocess.run(["zstd", "-q", "-c"], input=second, stdout=subprocess.PIPE, check=True).stdout
layers = [
    (put(first, "layer.v1.tar+gzip"), digest(gzip.decompress(first))),
    (put(zstd, "layer.v1.tar+zstd"), digest(second)),
    (put(third, "layer.v1.tar"), digest(third)),
]
config, demo = image(MACHINE, layers)
_, other = image("other", layers[1:2])
index = put_json({
    "schemaVersion": 2, "mediaType": OCI + "index.v1+json",
    "manifests": [
        {**other, "platform": {"os": "linux", "architecture": "other"}},
        {**demo, "platform": {"os": "linux", "architecture": MACHINE}},
    ],
}, "index.v1+json")
with open(f"{top}/oci-layout", "w") as file:
    file.write('{"imageLayoutVersion": "1.0.0"}')
with open(f"{top}/index.json", "w") as file:
    json.dump({"schemaVersion": 2, "manifests": [
        {**demo, "annotations": {"org.opencontainers.image.ref.name": "demo"}},
        {**index, "annotations": {"org.opencontainers.image.ref.name": "multi"}},
    ]}, file)
print(config["digest"][7:])
