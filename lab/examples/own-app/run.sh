#!/usr/bin/env bash
# Builds the application and has havoq judge it twice: as it is, and with its bug fixed. Exits with 0 if both came out as they
# should. HAVOQ: a havoq binary to use (otherwise it is built). OUT: where the run folders go (default: out/ beside this file).
set -euo pipefail
cd "$(dirname "$0")"
out=${OUT:-out}
fail() { echo "own-app: $*" >&2; exit 1; }

go vet ./... && go vet -tags fixed ./...
go test -count=1 ./service && go test -count=1 -tags fixed ./service # both are green: no test of the team finds the bug
mkdir -p bin
go build -o bin/ ./shop ./service
go build -tags fixed -o bin/service-fixed ./service
if [ -z "${HAVOQ:-}" ]; then
  (cd ../../.. && go build -o lab/examples/own-app/bin/havoq ./lab/cmd/havoq)
  HAVOQ=bin/havoq
fi
cmp <(sed -n '/^```diff$/,/^```$/p' README.md | sed '1d;$d') <(diff -U1 service/handle.go service/handle_fixed.go | tail -n +7) ||
  fail "the diff in README.md is not the one between service/handle.go and service/handle_fixed.go"

# judge SCENARIO: runs it, and re-judges the run folder.
judge() {
  local log began=$SECONDS
  rm -f orders.db orders.db-wal orders.db-shm
  mkdir -p "$out"
  log=$out/$1.log
  "$HAVOQ" run "$1.yaml" --out "$out" --output plain > "$log" 2>&1 || { cat "$log"; fail "$1 did not come out as it should"; }
  dir=$(sed -n 's/^  folder  *\([^ ]*\).*/\1/p' "$log")
  "$HAVOQ" verify "$dir" > "$out/$1.verify" || { cat "$out/$1.verify"; fail "verify of $1 came to another verdict"; }
  cmp <(grep ^VERDICT "$log") <(grep ^VERDICT "$out/$1.verify")
  printf '%-14s %s %d s with verify\n' "$1" "$(grep ^VERDICT "$log");" $((SECONDS - began))
}

# missing SOURCE: how many orders are not in it, as the report of the last run says.
missing() { awk -F' *[|] *' -v source="$1" '$2 == source {print $5; found = 1} END {exit !found}' "$dir/report.md"; }

judge own-app
[ "$(missing "topic invoices")" -gt 0 ] || fail "own-app: the invoices are complete"
[ "$(missing "table orders")" = 0 ] || fail "own-app: the table is not complete, which would be another bug"
judge own-app-fixed
