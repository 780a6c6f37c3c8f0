# What the scripts of this folder share. Sourced by them, with a name of the service in SERVICE.
#
# A service lives in a scratch directory of its own, on free ports of loopback, and ends with its script: when standard
# input ends, or with the command that it was started for, or on a signal. When the script itself is killed the kernel
# kills the daemons (--pdeathsig), so that nothing is left but files in the scratch directory.
set -euo pipefail
export LC_ALL=C
PATH=$PATH:/usr/sbin # where Debian puts daemons

services=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
began_in=$PWD
# Of the parts of a multipart upload, all but the last; what Amazon's has.
smallest_part=${S3_SMALLEST_PART:-5242880}
scratch=$(mktemp -d "${TMPDIR:-/tmp}/tus-$SERVICE-XXXXXX")
pids=()

fail() {
  echo "$SERVICE: $*" >&2
  # The end of what each daemon said: whoever reads this has no other way to see it, the directory goes now.
  tail -n 15 "$scratch"/log/* >&2 2>/dev/null || true
  exit 1
}

need() {
  local program
  for program in "$@"; do
    command -v "$program" >/dev/null || fail "there is no $program: tools/install_deps test"
  done
}

# By pid, and waited for: a daemon that is left of one start disturbs the next.
stop_all() {
  local pid
  trap '' INT TERM
  for pid in ${pids[@]+"${pids[@]}"}; do kill -KILL "$pid" 2>/dev/null || true; done
  for pid in ${pids[@]+"${pids[@]}"}; do wait "$pid" 2>/dev/null || true; done
  rm -rf "$scratch"
}
trap stop_all EXIT
trap 'exit 143' INT TERM

# Below the ports that the system gives to connections, so that it stays free until it is used.
free_port() {
  local port end
  read -r end _ </proc/sys/net/ipv4/ip_local_port_range
  while :; do
    port=$((5000 + (RANDOM * 32768 + RANDOM) % (end - 5000)))
    [[ " ${taken_ports:-} " == *" $port "* ]] && continue
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
  done
  taken_ports+=" $port"
  REPLY=$port
}

# daemon NAME COMMAND...: in the background, its output in log/NAME.
daemon() {
  local name=$1
  shift
  setpriv --pdeathsig KILL "$@" </dev/null >"$scratch/log/$name" 2>&1 &
  pids+=($!)
}

all_alive() {
  local pid
  for pid in "${pids[@]}"; do kill -0 "$pid" 2>/dev/null || fail "a daemon has ended"; done
}

# wait_for SECONDS WHAT COMMAND...: until it succeeds.
wait_for() {
  local end=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    all_alive
    [ "$SECONDS" -lt "$end" ] || fail "not in time: $what"
    sleep 0.1
  done
}

make_bucket() {
  python3 -B -c 'import sys; sys.path.insert(0, sys.argv[1]); import s3_client; s3_client.S3Client(*sys.argv[2:]).make_bucket()' \
    "$services/../e2e" "$TUS_TEST_S3_URL" "$TUS_TEST_S3_KEY" "$TUS_TEST_S3_SECRET" "$1"
}

# serve URL KEY SECRET [COMMAND...]: says where the service is, and stays until the command or the input ends. A command has
# a bucket.
serve() {
  local status=0
  export TUS_TEST_S3_KIND=$SERVICE TUS_TEST_S3_URL=$1 TUS_TEST_S3_KEY=$2 TUS_TEST_S3_SECRET=$3
  shift 3
  if [ $# -eq 0 ]; then
    echo "ready $TUS_TEST_S3_URL $TUS_TEST_S3_KEY $TUS_TEST_S3_SECRET"
    while read -r _; do :; done
    return
  fi
  cd "$began_in"
  export TUS_TEST_S3_BUCKET=tests
  make_bucket tests >"$scratch/log/bucket" 2>&1 || fail "no bucket can be made"
  # In the background and waited for: bash runs no trap while a command in the foreground goes on.
  setpriv --pdeathsig KILL "$@" <&0 &
  pids+=($!)
  wait "$!" || status=$?
  exit "$status"
}
