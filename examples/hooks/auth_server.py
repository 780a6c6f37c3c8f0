#!/usr/bin/env python3
"""Who may create, resume, read and remove uploads: an HTTP hook for pre-create and pre-access.

    auth_server.py --port 8000 --tokens FILE        lines of FILE: <user> <token>
    tusd -hooks-http http://127.0.0.1:8000 -hooks-enabled-events pre-create,pre-access
"""
import argparse
import hashlib
import http.server
import json

REFUSED = {"StatusCode": 401, "Body": "a valid token is needed\n", "Header": {"WWW-Authenticate": "Bearer"}}
FOREIGN = {"StatusCode": 403, "Body": "this upload belongs to somebody else\n"}
LARGEST_MESSAGE = 1 << 20


def digest(token):
    return hashlib.sha256(token.encode()).digest()  # looked up instead of the token: takes the same time for all


def read_tokens(path):
    with open(path, encoding="utf-8") as file:
        pairs = [line.split() for line in file if line.strip()]
    return {digest(token): user for user, token in pairs}


def user_of(request, tokens):
    """Nobody (None), unless there is exactly one token and it is known."""
    values = request.get("Header", {}).get("Authorization", [])
    scheme, _, token = values[0].partition(" ") if len(values) == 1 else ("", "", "")
    return tokens.get(digest(token.strip())) if scheme.lower() == "bearer" else None


def decide(message, tokens):
    kind, upload = message["Type"], message["Event"]["Upload"]
    if kind not in ("pre-create", "pre-access"):
        return {}
    user = user_of(message["Event"]["HTTPRequest"], tokens)
    if kind == "pre-create":
        if user is None:
            return {"RejectUpload": True, "HTTPResponse": REFUSED}
        # Set by us, whatever the client says.
        return {"ChangeFileInfo": {"MetaData": {**(upload.get("MetaData") or {}), "owner": user}}}
    if user is None:
        return {"RejectAccess": True, "HTTPResponse": REFUSED}
    if (upload.get("MetaData") or {}).get("owner") != user:
        return {"RejectAccess": True, "HTTPResponse": FOREIGN}
    return {}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # connections are used again

    def do_POST(self):
        length = int(self.headers.get("Content-Length", 0))
        if length > LARGEST_MESSAGE:
            self.close_connection = True
            return self.send_error(413)
        # What we do not understand raises, ends the connection, and so refuses: the server takes no answer for a no.
        answer = json.dumps(decide(json.loads(self.rfile.read(length)), self.server.tokens)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8000, help="0: a free one")
    parser.add_argument("--tokens", required=True)
    options = parser.parse_args()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", options.port), Handler)
    server.tokens = read_tokens(options.tokens)
    print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
