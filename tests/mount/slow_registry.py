#!/usr/bin/env python3
"""A registry that stops in the middle: slow_registry.py LAYOUT GATE

Serves the image `demo` of an OCI layout as any name, by plain http on a free port, which it prints. Of blobs longer than
100,000 bytes the second half comes when the file GATE is there.
"""
import http.server
import json
import os
import sys
import time

top, gate = sys.argv[1:]
with open(f"{top}/index.json") as file:
    demo = json.load(file)["manifests"][0]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def handle(self):
        try:
            super().handle()
        except ConnectionError:
            pass

    def do_GET(self):
        name = self.path.rsplit("/", 1)[-1]
        path = f"{top}/blobs/sha256/" + (demo["digest"] if "/manifests/" in self.path else name)[7:]
        data = b"{}"
        if self.path != "/v2/":
            with open(path, "rb") as file:
                data = file.read()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        half = len(data) // 2 if len(data) > 100000 else len(data)
        self.wfile.write(data[:half])
        while half < len(data) and not os.path.exists(gate):
            time.sleep(0.02)
        self.wfile.write(data[half:])


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
print(server.server_port, flush=True)
server.serve_forever()
