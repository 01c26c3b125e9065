#!/usr/bin/env python3
"""A registry that misbehaves: odd_registry.py LAYOUT [LOG]

Serves the image `demo` of an OCI layout by plain http on a free port of 127.0.0.1, and another server on a second one that
takes part in some of it; prints both ports. How it misbehaves is the name that is asked for: localhost:PORT/MOOD:TAG. LOG gets a
line for each request: the port's number (1, 2), method, path, and the Authorization that came with it. In the moods `waits` and
`stairs` (an image of forty layers) the second half of a layer comes when there is a file LOG.gate.
"""
import hashlib
import http.server
import io
import json
import os
import sys
import tarfile
import threading
import time

top = sys.argv[1]
log = open(sys.argv[2], "a", buffering=1) if len(sys.argv) > 2 else None
lock = threading.Lock()
counts = {}

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
BASIC = 'Basic realm="r"'
PASSWORD = "Basic bWU6c2VzYW1l"  # me:sesame


def read_blob(digest):
    with open(f"{top}/blobs/sha256/{digest[7:]}", "rb") as file:
        return file.read()


with open(f"{top}/index.json") as file:
    demo = json.load(file)["manifests"][0]
manifest_text = read_blob(demo["digest"])
manifest = json.loads(manifest_text)
# One that no image of the test has.
victim = manifest["layers"][-1]


def change(**members):
    return json.dumps({**manifest, **members}).encode()


def change_layer(**members):
    return change(layers=[{**layer, **members} for layer in manifest["layers"]])


# What the manifest is in each mood; else it is as it should be.
manifests = {
    "json": b'{"schemaVersion": 2, "config": ',
    "html": b"<html>Welcome to the hotel",
    "empty": b"",
    "list": b"[]",
    "deep": b"[" * 200000,
    "both": change(manifests=[]),
    "type": change(mediaType="application/vnd.oci.image.index.v1+json"),
    "schema1": b'{"schemaVersion": 1, "name": "x", "fsLayers": []}',
    "chart": change(config={**manifest["config"], "mediaType": "application/vnd.cncf.helm.config.v1+json"}),
    "foreign": change_layer(mediaType="application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"),
    "negative": change_layer(size=-1),
    "gigantic": change_layer(size=1 << 60),
    "climbs": change_layer(digest="sha256:../../../../etc/passwd"),
    "many": change(layers=manifest["layers"] * 5000),
    "fewer": change(layers=manifest["layers"][:-1]),
    "swapped": change(layers=manifest["layers"][::-1]),
    "large": b'{"x": "' + b"x" * (9 << 20) + b'"}',
    "circle": None,  # an index of itself, which cannot be: of something else under the same digest
}


def make_stairs():
    """The texts of an image of forty layers, by their digests, and its manifest."""
    texts = {}

    def put(data, kind):
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        texts[digest] = data
        return {"mediaType": "application/vnd.oci.image." + kind, "digest": digest, "size": len(data)}

    layers = []
    for i in range(40):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as archive:
            info = tarfile.TarInfo(f"step{i}")
            info.size = 100000
            archive.addfile(info, io.BytesIO(bytes([i]) * info.size))
        layers.append(put(out.getvalue(), "layer.v1.tar"))
    config = {**json.loads(read_blob(manifest["config"]["digest"])),
              "rootfs": {"type": "layers", "diff_ids": [layer["digest"] for layer in layers]}}
    config = put(json.dumps(config).encode(), "config.v1+json")
    return texts, change(config=config, layers=layers)


stairs, manifests["stairs"] = make_stairs()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def handle(self):
        try:
            super().handle()
        except (ConnectionError, ValueError):
            pass

    def count(self, what):
        """How often that has been asked before."""
        with lock:
            counts[what] = counts.get(what, 0) + 1
            return counts[what] - 1

    def reply(self, status, body=b"", length=None, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def cut(self, body, length):
        """Less than was announced, then the end."""
        self.reply(200, body, length)
        self.close_connection = True

    def pour(self, chunked):
        """Without end."""
        self.send_response(200)
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        piece = b"x" * 65536
        while True:
            self.wfile.write(b"10000\r\n" + piece + b"\r\n" if chunked else piece)

    def drip(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        for byte in body:
            self.wfile.write(bytes([byte]))
            time.sleep(0.2)

    def do_GET(self):
        if log:
            log.write(f"{self.server.number} GET {self.path} {self.headers.get('Authorization', '-')}\n")
        if self.server.number == 2:
            return self.answer_away()
        if self.path.startswith("/token/"):
            return self.answer_token(self.path.split("/")[2].split("?")[0])
        if self.path == "/v2/":
            return self.reply(200, b"{}")
        _, _, mood, kind, what = self.path.split("/", 4)
        if not self.is_let_in(mood, kind):
            return None
        if kind == "tags":
            return self.answer_tags(mood)
        if kind == "manifests":
            return self.answer_manifest(mood)
        return self.answer_blob(mood, what)

    # --- who may come in ---

    def is_let_in(self, mood, kind):
        given = self.headers.get("Authorization")
        me = f"localhost:{self.server.server_port}"
        asks = {
            "password": BASIC,
            "never": BASIC,
            "rubbish": ' ,,;="\\"Bearer,=  realm=""" \\',
            "bearer": f'Bearer realm="http://{me}/token/bearer"',
            "again": f'Bearer realm="http://{me}/token/again"',
            "huge-token": f'Bearer realm="http://{me}/token/huge"',
            "json-token": f'Bearer realm="http://{me}/token/json"',
            "line-token": f'Bearer realm="http://{me}/token/line"',
            "no-token": f'Bearer realm="http://{me}/token/none"',
            "file-realm": 'Bearer realm="file:///etc/passwd"',
            "clear-realm": 'Bearer realm="http://192.0.2.1/token"',
            "away-realm": f'Bearer realm="http://127.0.0.1:{away.server_port}/token"',
        }
        if mood in asks:
            if mood == "password" and given == PASSWORD:
                return True
            if mood in ("bearer", "away-realm") and given == "Bearer let-me-in":
                return True
            self.reply(401, WWW_Authenticate=asks[mood])
            return False
        if mood == "forbidden":
            self.reply(403, b'{"errors": [{"code": "DENIED", "message": "not\\nfor\\u001byou"}]}')
            return False
        return True

    def answer_token(self, mood):
        token = {"huge": "x" * (2 << 20), "line": "a\r\nX-Evil: 1"}.get(mood, "let-me-in")
        if mood == "json":
            return self.reply(200, b'{"token": let-me-in')
        if mood == "none":
            return self.reply(200, b'{"token": 7}')
        return self.reply(200, json.dumps({"token": token}).encode())

    def answer_away(self):
        if self.path.startswith("/token"):
            return self.reply(200, b'{"token": "let-me-in"}')
        if self.path.startswith("/asks/"):
            return self.reply(401, WWW_Authenticate=f'Bearer realm="http://127.0.0.1:{away.server_port}/token"')
        return self.reply(200, read_blob(self.path.rsplit("/", 1)[-1]))

    # --- what there is ---

    def answer_tags(self, mood):
        def page(tags, next=None):
            link = {"Link": f'<{next}>; rel="next"'} if next else {}
            return self.reply(200, json.dumps({"name": mood, "tags": tags}).encode(), **link)

        if mood == "pages":
            last = self.path.partition("last=")[2]
            return {
                "": lambda: page(["1", "2"], "/v2/pages/tags/list?last=2"),
                "2": lambda: page(["3"], "list?last=3"),
                "3": lambda: page(["4"]),
            }[last]()
        if mood == "endless-tags":
            return page(["1"], self.path)
        if mood == "bad-tags":
            return page(["1", "../../x"])
        if mood == "no-tags":
            return page(None)
        if mood == "file-tags":
            return page(["1"], "file:///etc/passwd")
        return self.reply(404, b'{"errors": [{"code": "NAME_UNKNOWN"}]}')

    def answer_manifest(self, mood):
        body = manifests.get(mood) or manifest_text
        if mood == "circle":
            digest = "sha256:" + "0" * 64
            entry = {"digest": digest, "size": 5, "platform": {"os": "linux", "architecture": "amd64"}}
            body = json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode()
        if mood == "empty":
            body = b""
        if mood == "endless":
            return self.pour(False)
        if mood == "headers":
            self.send_response(200)
            while True:
                self.send_header("X-More", "x" * 1000)
                self.flush_headers()
        if mood == "silent-end":
            self.close_connection = True
            return None
        if mood == "no-http":
            self.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n")
            self.close_connection = True
            return None
        if mood == "drip":
            return self.drip(body)
        if mood == "status":
            return self.reply(418, b"<html>short and stout")
        if mood == "loop":
            return self.reply(307, Location=self.path)
        if mood == "file":
            return self.reply(302, Location="file:///etc/passwd")
        if mood == "busy" and self.count("busy") < 2:
            return self.reply(429, Retry_After="1")
        if mood == "ill" and self.count("ill") < 2:
            return self.reply(500)
        if mood == "dead":
            return self.reply(503)
        if mood == "always-busy":
            return self.reply(429, Retry_After="0")
        return self.reply(200, body, Content_Type=MANIFEST)

    def answer_blob(self, mood, what):
        digest = what
        body = stairs.get(digest) or read_blob(digest)
        half = len(body) // 2
        if (mood == "waits" or mood == "stairs") and half > 50000:
            self.reply(200, body[:half], len(body))
            while not os.path.exists(sys.argv[2] + ".gate"):
                time.sleep(0.02)
            return self.wfile.write(body[half:])
        if digest != victim["digest"]:
            return self.reply(200, body)
        given = self.headers.get("Range")
        if mood == "flipped":
            return self.reply(200, body[:half] + bytes([body[half] ^ 1]) + body[half + 1:])
        if mood == "short":
            return self.reply(200, body[:half])
        if mood == "long":
            return self.reply(200, body + b"x")
        if mood == "pours":
            return self.pour(False)
        if mood == "chunks":
            return self.pour(True)
        if mood == "cut-once":
            # It does not know what Range is.
            return self.cut(body[:half], len(body)) if self.count(mood) == 0 else self.reply(200, body)
        if mood == "cut-other":
            if not given:
                return self.cut(body[:half], len(body))
            return self.reply(206, body[5:], Content_Range=f"bytes 5-{len(body) - 1}/{len(body)}")
        if mood == "cut-changed":
            # The rest is another blob's.
            if not given:
                return self.cut(body[:half], len(body))
            return self.reply(206, b"x" * (len(body) - half),
                              Content_Range=f"bytes {half}-{len(body) - 1}/{len(body)}")
        if mood == "cut-always":
            return self.cut(b"", len(body))
        if mood == "no-range" and given:
            return self.reply(416)
        if mood == "no-range":
            return self.cut(body[:half], len(body))
        if mood == "gone":
            return self.reply(404)
        if mood == "away":
            return self.reply(307, Location=f"http://127.0.0.1:{away.server_port}/{what}")
        if mood == "away-asks":
            return self.reply(307, Location=f"http://127.0.0.1:{away.server_port}/asks/{what}")
        return self.reply(200, body)


def serve(number):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.number = number
    threading.Thread(target=server.serve_forever).start()
    return server


away = serve(2)
home = serve(1)
print(home.server_port, away.server_port, flush=True)
