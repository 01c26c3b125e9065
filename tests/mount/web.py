#!/usr/bin/env python3
"""A server of one file that has all the faults of servers: web.py FILE GATE [CERTIFICATE KEY]

By plain http, or https with a certificate, on a free port of 127.0.0.1, which it prints. The path says how
it behaves; each request's line and Authorization go to GATE.log.
"""
import base64
import http.server
import os
import ssl
import sys
import time

path, gate = sys.argv[1:3]
with open(path, "rb") as file:
    data = file.read()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def handle(self):
        try:
            super().handle()
        except (ConnectionError, ssl.SSLError):
            pass

    def head(self, status, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def give(self, body, length):
        self.head(200, Content_Length=str(length))
        self.wfile.write(body)

    def do_GET(self):
        with open(gate + ".log", "a") as log:
            print(self.path, self.headers.get("Authorization", ""), file=log)
        name, _, rest = self.path[1:].partition("?")[0].partition("/")
        getattr(self, "get_" + name, self.get_missing)(rest)

    def get_missing(self, rest):
        self.head(404, Content_Length="0")

    def get_file(self, rest):
        self.give(data, len(data))

    def get_gate(self, rest):
        self.head(200, Content_Length=str(len(data)))
        self.wfile.write(data[:len(data) // 2])
        while not os.path.exists(gate):
            time.sleep(0.02)
        self.wfile.write(data[len(data) // 2:])

    def get_unsaid(self, rest):
        self.head(200, Connection="close")
        self.close_connection = True
        self.wfile.write(data)

    def get_chunked(self, rest):
        self.head(200, Transfer_Encoding="chunked")
        for at in range(0, len(data), 5000):
            part = data[at:at + 5000]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        self.wfile.write(b"0\r\n\r\n")

    def get_short(self, rest):
        self.give(data[:-1000], len(data))
        self.close_connection = True

    def get_cut(self, rest):
        self.head(200, Connection="close")
        self.close_connection = True
        self.wfile.write(data[:-1000])

    def get_empty(self, rest):
        self.give(b"", 0)

    def get_status(self, rest):
        self.head(int(rest), Content_Length="0")

    def get_secret(self, rest):
        wanted = "Basic " + base64.b64encode(b"me:sesame").decode()
        if self.headers.get("Authorization") == wanted:
            self.get_file(rest)
        else:
            self.head(401, Content_Length="0", WWW_Authenticate='Basic realm="r"')

    def get_to(self, rest):
        # A server decides what "Location" is; ours is told by the path: to/HOST leads to its /file.
        self.head(302, Content_Length="0", Location=f"http://{rest}/file" if rest else "../file")

    def get_scheme(self, rest):
        self.head(302, Content_Length="0", Location=f"{rest}:///{path}")

    def get_loop(self, rest):
        self.head(301, Content_Length="0", Location="/loop")


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
if len(sys.argv) > 3:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*sys.argv[3:])
    server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
