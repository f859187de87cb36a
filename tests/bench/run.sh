#!/usr/bin/env bash
# Quorate and Apache ZooKeeper 3.9 under the same loads, in turn, on loopback; writes docs/performance.md.
#
#   run.sh                     all loads, ROUNDS (5) rounds each
#   ONLY=set-60x16,memory      some of them; the document stays as it is (run.sh --list names them)
#   ROUNDS=1                   fewer rounds; the document stays as it is
#   SCALE=1                    how Quorate alone scales, the second section of the document
#   SERVER_CMD, KEEP           as in tests/interop/run.sh
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
export PYTHONDONTWRITEBYTECODE=1 ZK=3.9
export BENCH_CMD=${BENCH_CMD:-$root/target/release/quorate}
[[ ${1:-} == --list ]] || (cd "$root" && cargo build --release --quiet -p quorate)
# Its jars.
[[ ${1:-} == --list || -n ${SCALE:-} ]] || "$root/tests/interop/run.sh" apache
exec python3 "$root/tests/bench/bench.py" "$@"
