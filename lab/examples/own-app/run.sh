#!/usr/bin/env bash
# Builds the application and has havoq judge it twice: as it is, and with its bug fixed. Exits with 0 if both came out as they
# should. HAVOQ: a havoq binary to use (otherwise it is built). OUT: where the run folders go (default: out/ beside this file).
set -euo pipefail
from=$PWD
cd "$(dirname "$0")"
absolute() { case $1 in /*) echo "$1" ;; *) echo "$from/$1" ;; esac; }
out=$([ -z "${OUT:-}" ] && echo out || absolute "$OUT")
fail() { echo "own-app: $*" >&2; exit 1; }

go vet ./... && go vet -tags fixed ./...
go test -count=1 ./service && go test -count=1 -tags fixed ./service # both are green: no test of the team finds the bug
mkdir -p bin
go build -o bin/ ./shop ./service
go build -tags fixed -o bin/service-fixed ./service
if [ -n "${HAVOQ:-}" ]; then
  havoq=$(absolute "$HAVOQ")
else
  havoq=bin/havoq
  (cd ../.. && go build -o "$OLDPWD/bin/havoq" ./cmd/havoq)
fi
cmp <(sed -n '/^```diff$/,/^```$/p' README.md | sed '1d;$d') <(diff -U1 service/handle.go service/handle_fixed.go | tail -n +7) ||
  fail "the diff in README.md is not the one between service/handle.go and service/handle_fixed.go"

# judge SCENARIO: runs it, and re-judges the run folder.
judge() {
  local log began=$SECONDS
  rm -f orders.db orders.db-wal orders.db-shm
  mkdir -p "$out"
  log=$out/$1.log
  "$havoq" run "$1.yaml" --out "$out" --output plain > "$log" 2>&1 || { cat "$log"; fail "$1 did not come out as it should"; }
  dir=$(sed -n 's/^  folder  *\(.*\) (seed.*/\1/p' "$log")
  "$havoq" verify "$dir" > "$out/$1.verify" || { cat "$out/$1.verify"; fail "verify of $1 came to another verdict"; }
  cmp <(grep ^VERDICT "$log") <(grep ^VERDICT "$out/$1.verify")
  printf '%-14s %s %d s with verify\n' "$1" "$(grep ^VERDICT "$log");" $((SECONDS - began))
}

# missing SOURCE: how many orders are not in it, as the report of the last run says.
missing() { awk -F' *[|] *' -v source="$1" '$2 == source {print $5; found = 1} END {exit !found}' "$dir/report.md"; }

judge own-app
[ "$(missing "topic invoices")" -gt 0 ] || fail "own-app: the invoices are complete"
[ "$(missing "table orders")" = 0 ] || fail "own-app: the table is not complete, which would be another bug"
judge own-app-fixed
