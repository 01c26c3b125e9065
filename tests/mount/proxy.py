#!/usr/bin/env python3
"""An HTTP proxy that knows few hosts: proxy.py LOG HOST:PORT=HOST:PORT...

Serves GET and CONNECT on a free port of 127.0.0.1, which it prints. LOG gets a line for each request: method and target.
"""
import http.client
import http.server
import socket
import sys
import threading
import urllib.parse

log = open(sys.argv[1], "a", buffering=1)
known = dict(pair.split("=") for pair in sys.argv[2:])


def copy(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def find(self, host):
        log.write(f"{self.command} {host}\n")
        if host not in known:
            self.send_error(502, "unknown host")
            return None
        name, port = known[host].split(":")
        return name, int(port)

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        place = self.find(url.netloc)
        if not place:
            return
        upstream = http.client.HTTPConnection(*place)
        upstream.request("GET", url.path + ("?" + url.query if url.query else ""),
                         headers={k: v for k, v in self.headers.items() if k.lower() != "proxy-connection"})
        answer = upstream.getresponse()
        body = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_CONNECT(self):
        place = self.find(self.path)
        if not place:
            return
        upstream = socket.create_connection(place)
        self.send_response(200)
        self.end_headers()
        thread = threading.Thread(target=copy, args=(upstream, self.connection), daemon=True)
        thread.start()
        copy(self.connection, upstream)
        thread.join()
        upstream.close()
        self.close_connection = True


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
print(server.server_port, flush=True)
server.serve_forever()
