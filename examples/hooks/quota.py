#!/usr/bin/env python3
"""How many bytes each user may have on the server: a program for pre-create, post-finish and post-terminate.

    cp quota.py hooks/pre-create; ln -s pre-create hooks/post-finish; ln -s pre-create hooks/post-terminate
    QUOTA_BYTES=1000000000 QUOTA_DB=/var/lib/quota.db tusd -hooks-dir hooks \\
        -hooks-enabled-events pre-create,post-finish,post-terminate

The user is what a proxy in front of the server says in X-Remote-User; it must not let clients set that themselves.
"""
import json
import os
import sqlite3
import sys
import time
import uuid

# A creation that we have allowed may still fail, and then nobody tells us: what is not finished by then is forgotten.
# Longer than the server keeps unfinished uploads.
RESERVED_SECONDS = 7 * 86400


def refuse(status, text):
    return {"RejectUpload": True, "HTTPResponse": {"StatusCode": status, "Body": text + "\n"}}


def pre_create(database, upload, request):
    users = request["Header"].get("X-Remote-User", [])
    if len(users) != 1:
        return refuse(401, "who are you?")
    if upload["SizeIsDeferred"]:
        return refuse(400, "say how long the upload will be")
    database.execute("DELETE FROM uploads WHERE NOT finished AND since < ?", (time.time() - RESERVED_SECONDS,))
    used = database.execute("SELECT COALESCE(SUM(size), 0) FROM uploads WHERE user = ?", (users[0],)).fetchone()[0]
    quota = int(os.environ["QUOTA_BYTES"])
    if used + upload["Size"] > quota:
        return refuse(403, f"{used} of your {quota} bytes are used")
    # The upload has no id yet. We choose one, so that later events find what has been reserved here.
    upload_id = uuid.uuid4().hex
    database.execute("INSERT INTO uploads VALUES (?, ?, ?, ?, FALSE)",
                     (upload_id, users[0], upload["Size"], time.time()))
    return {"ChangeFileInfo": {"ID": upload_id}}


def main():
    message = json.load(sys.stdin)
    upload = message["Event"]["Upload"]
    database = sqlite3.connect(os.environ["QUOTA_DB"], timeout=20, isolation_level=None)
    # Others run at the same time: what is read below stays true until it is written.
    database.execute("BEGIN IMMEDIATE")
    database.execute("CREATE TABLE IF NOT EXISTS uploads"
                     " (id TEXT PRIMARY KEY, user TEXT, size INTEGER, since REAL, finished BOOLEAN)")
    reply = {}
    if message["Type"] == "pre-create":
        reply = pre_create(database, upload, message["Event"]["HTTPRequest"])
    elif message["Type"] == "post-finish":
        database.execute("UPDATE uploads SET finished = TRUE WHERE id = ?", (upload["ID"],))
    elif message["Type"] == "post-terminate":
        database.execute("DELETE FROM uploads WHERE id = ?", (upload["ID"],))
    database.execute("COMMIT")
    json.dump(reply, sys.stdout)


if __name__ == "__main__":
    main()
