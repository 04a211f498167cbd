#!/usr/bin/env bash
# How fast a key is traded for a token, in ratios: kagiya beside a bare actix-web handler in the same interleaved rounds.
# Server on core 0 with one worker, wrk on core 1. Needs cargo, wrk, taskset, python3. Nothing else should run meanwhile.
#
#   bash bench/exchange.sh
#
#   ROUNDS=5 DURATION=4   rounds, and seconds a case in each
#   LARGE=1000000         how many keys the large database holds (made once, kept under the target folder)
#   CEILINGS=DIR          a folder with `serve` and `micro`, programs that do only the unavoidable: added to the rounds
#   POSTGRES_URL=URL      an empty PostgreSQL database: adds the cold key there (and the ceiling's, with CEILINGS)
#   KAGIYA=FILE BARE=FILE SEED=FILE   programs to measure, instead of building them
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/.."
rounds=${ROUNDS:-5} duration=${DURATION:-4} large=${LARGE:-1000000} ceilings=${CEILINGS:-} postgres_url=${POSTGRES_URL:-}
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
work=$target/bench
mkdir -p "$work"
raw=$work/raw.txt
: > "$raw"

say() { printf '[%(%H:%M:%S)T] %s\n' -1 "$*" >&2; }
fail() { say "$*"; exit 1; }
for tool in cargo wrk taskset python3; do command -v $tool > /dev/null || fail "$tool is not installed"; done
[ "$(nproc)" -ge 2 ] || fail "two cores are needed, one for the server and one for wrk"

if [ -z "${KAGIYA:-}" ]; then
  say "building"
  cargo build --release --locked --bin kagiya --example bare_actix --example seed_keys
fi
program=${KAGIYA:-$target/release/kagiya}
bare=${BARE:-$target/release/examples/bare_actix}
seed=${SEED:-$target/release/examples/seed_keys}

# As shipped, but for: one worker, and a bad-key limit that lets as many 401 through as the configuration allows.
export KAGIYA_ISSUER=http://127.0.0.1:8787 KAGIYA_WORKERS=1 KAGIYA_LIMITS_BAD_KEYS_PER_MINUTE=1000000
large_cache=$((large * 2))

declare -A pid=() port=()
next_port=18701
stop_all() { [ ${#pid[@]} -eq 0 ] || kill "${pid[@]}" 2> /dev/null || true; wait 2> /dev/null || true; pid=(); }
trap stop_all EXIT
trap 'exit 130' INT TERM

# server NAME COMMAND…: starts it on core 0 on a port of its own, which stands for @PORT in the command.
server() {
  local name=$1
  shift
  port[$name]=$next_port
  next_port=$((next_port + 1))
  taskset -c 0 env "${@//@PORT/${port[$name]}}" > "$work/$name.log" 2>&1 &
  pid[$name]=$!
  for _ in $(seq 600); do
    if (: < "/dev/tcp/127.0.0.1/${port[$name]}") 2> /dev/null; then return; fi
    kill -0 "${pid[$name]}" 2> /dev/null || break
    sleep 0.1
  done
  tail -n 20 "$work/$name.log" >&2
  fail "$name did not start"
}
# kagiya NAME DATA [VARIABLE=VALUE…]: its log goes where a log costs least, formatted all the same.
kagiya() {
  local name=$1 data=$2
  shift 2
  server "$name" KAGIYA_DATA_DIR="$work/$data" KAGIYA_LISTEN=127.0.0.1:@PORT "$@" sh -c 'exec "$0" serve > /dev/null' "$program"
}
stop() { kill "${pid[$1]}"; wait "${pid[$1]}" 2> /dev/null || true; unset "pid[$1]"; }
resident() { awk '/^VmRSS/ { print $2 }' "/proc/${pid[$1]}/status"; }
ticks() { sed 's/.*) //' "/proc/${pid[$1]}/stat" | awk '{ print $12 + $13 }'; }
# load CONNECTIONS SECONDS SERVER VARIABLE=VALUE…
load() {
  local connections=$1 seconds=$2 at=$3
  shift 3
  env "$@" taskset -c 1 wrk -t1 -c"$connections" -d"${seconds}s" --timeout 20s -s "$here/request.lua" "http://127.0.0.1:${port[$at]}"
}
# measure ROUND CASE CONNECTIONS SERVER VARIABLE=VALUE…: one line in the raw file, with the server's processor time.
measure() {
  local round=$1 case=$2 connections=$3 at=$4 before after line
  shift 4
  before=$(ticks "$at")
  line=$(load "$connections" "$duration" "$at" "$@" | grep RESULT) || fail "wrk failed at $case"
  after=$(ticks "$at")
  echo "$round $case ${line#RESULT } ticks=$((after - before))" >> "$raw"
}
value() { echo "- $1 value=$2" >> "$raw"; }

# keys DATA ALGORITHM COUNT: a data folder with so many keys, and a file with them; kept for the next run.
keys() {
  local file=$work/$1-$2.keys
  if [ -f "$file" ] && [ "$(wc -l < "$file")" = "$3" ]; then return; fi
  say "making $3 keys for $2 in $1"
  "$seed" --data-dir "$work/$1" --algorithm "$2" --count "$3" > "$file.part"
  mv "$file.part" "$file"
}

keys main ES256 10000
keys main EdDSA 10000
keys main RS256 10000
keys many EdDSA 100000
keys small EdDSA 1000
keys large EdDSA "$large"
rm -rf "$work/reuse" "$work/empty" "$work/create"
cp -r "$work/main" "$work/reuse"
python3 "$here/measure.py" forge < "$work/main-ES256.keys" > "$work/forged.keys"

say "idle, first answer, bytes a key"
kagiya empty empty
sleep 3
value idle_mib "$(awk "BEGIN { print $(resident empty) / 1024 }")"
stop empty
for data in small large; do
  at=127.0.0.1:$next_port
  next_port=$((next_port + 1))
  KAGIYA_DATA_DIR=$work/$data KAGIYA_LISTEN=$at taskset -c 1 python3 "$here/measure.py" first-answer "$at" "$work/$data-EdDSA.keys" 5 \
    -- taskset -c 0 "$program" serve > "$work/first.txt" || fail "no first answer"
  while read -r ms; do value "first_answer_$data" "$ms"; done < "$work/first.txt"
done
kagiya large large KAGIYA_CACHE_KEYS=$large_cache
kagiya small small KAGIYA_CACHE_KEYS=$large_cache
load 64 2 large KEYS="$work/large-EdDSA.keys" LIMIT=1000 > /dev/null
before=$(resident large)
load 64 600 large KEYS="$work/large-EdDSA.keys" ORDER=once > "$work/warm.txt"
value bytes_a_key "$(awk "BEGIN { print ($(resident large) - $before) * 1024 / ($large - 1000) }")"

server bare "$bare" 127.0.0.1:@PORT
kagiya main main
kagiya reuse reuse KAGIYA_TOKEN_REUSE_SECONDS=60
kagiya cold many KAGIYA_CACHE_KEYS=100
cases=(
  "bare bare KEYS=$work/main-ES256.keys"
  "forged main KEYS=$work/forged.keys"
  "es main KEYS=$work/main-ES256.keys"
  "ed main KEYS=$work/main-EdDSA.keys"
  "rs main KEYS=$work/main-RS256.keys"
  "reuse reuse KEYS=$work/main-ES256.keys"
  "cold cold KEYS=$work/many-EdDSA.keys"
  "small small KEYS=$work/small-EdDSA.keys"
  "large large KEYS=$work/large-EdDSA.keys"
)
if [ -n "$postgres_url" ]; then
  export KAGIYA_ROOT_SECRET=${KAGIYA_ROOT_SECRET:-only-for-measuring-0123456789abcdef}
  say "making 100000 keys in PostgreSQL"
  "$seed" --data-dir "$work/postgres" --database-url "$postgres_url" --algorithm EdDSA --count 100000 > "$work/postgres.keys"
  kagiya cold-pg postgres KAGIYA_CACHE_KEYS=100 KAGIYA_DATABASE_URL="$postgres_url"
  unset KAGIYA_ROOT_SECRET
  cases+=("cold-pg cold-pg KEYS=$work/postgres.keys")
fi
if [ -n "$ceilings" ]; then
  [ -x "$ceilings/serve" ] && [ -x "$ceilings/micro" ] || fail "$ceilings has no serve and micro"
  N=100000 "$ceilings/micro" keys > "$work/ceiling.keys"
  [ -f "$work/db-100000.sqlite" ] || PERF=$work ROUNDS=1 "$ceilings/micro" sqlite > /dev/null 2>&1
  modes="es ed rs cached sqliteblk-ed"
  if [ -n "$postgres_url" ]; then
    PGURL=$postgres_url N=100000 "$ceilings/micro" pg-load > /dev/null
    modes+=" pgsync-ed"
  fi
  for mode in $modes; do
    server "ceiling-$mode" MODE=$mode PORT=@PORT N=10000 POOL=8 SQLITE="$work/db-100000.sqlite" PGURL="$postgres_url" "$ceilings/serve"
    limit=10000
    [[ $mode == *sync* || $mode == *blk* ]] && limit=100000
    cases+=("ceiling-$mode ceiling-$mode KEYS=$work/ceiling.keys LIMIT=$limit")
  done
fi

say "warming up"
for case in "${cases[@]}"; do
  read -r _ at variables <<< "$case"
  # shellcheck disable=SC2086
  load 64 2 "$at" $variables > /dev/null
done
for round in $(seq "$rounds"); do
  say "round $round of $rounds"
  for case in "${cases[@]}"; do
    read -r name at variables <<< "$case"
    # shellcheck disable=SC2086
    measure "$round" "$name" 64 "$at" $variables
  done
  for name in bare:bare:ES256 es:main:ES256 ed:main:EdDSA; do
    IFS=: read -r case at algorithm <<< "$name"
    measure "$round" "$case-alone" 1 "$at" KEYS="$work/main-$algorithm.keys"
  done
done

say "durable creates"
kagiya create create
# The port is taken before the database is made: a token can be had when it is.
for _ in $(seq 100); do
  if TOKEN=$(KAGIYA_DATA_DIR=$work/create "$program" admin token 2> /dev/null); then break; fi
  sleep 0.1
done
[ -n "$TOKEN" ] || fail "no token for creating keys"
export TOKEN
BODY=$(python3 "$here/measure.py" create-body "127.0.0.1:${port[create]}")
for round in $(seq "$rounds"); do
  measure "$round" create-1 1 create BODY="$BODY"
  measure "$round" create-16 16 create BODY="$BODY"
done
stop_all
python3 "$here/summary.py" "$raw" | tee "$work/summary.md"
