"""tus-js-client on Node.js."""
import json
import subprocess

import node_packages
from harness import die_with_parent


def upload(endpoint, uploads, timeout=300):
    """Runs uploads at the same time; see node/upload.mjs. Returns one result each."""
    folder = node_packages.clients()
    job = json.dumps({"endpoint": endpoint, "uploads": uploads})
    done = subprocess.run(["node", "upload.mjs", job], cwd=folder, timeout=timeout, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=die_with_parent)
    if done.returncode != 0:
        raise AssertionError(f"tus-js-client failed:\n{done.stderr[-4000:]}")
    return json.loads(done.stdout)["results"]
