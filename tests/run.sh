#!/usr/bin/env bash
# All tests: format, lints, unit, property and integration tests, then foreign clients against a running node.
#
# Needs cargo. Python and npm packages for the foreign clients are installed beside the build output when they are
# missing, PostgreSQL (postgres.sh) from the system's packages; where that is not possible, the checks that need them are
# skipped, by name and count.
set -euo pipefail
cd "$(dirname "$0")/.."
target="${CARGO_TARGET_DIR:-$PWD/target}"

step() { printf '\n== %s\n' "$*"; }

step "format"
cargo fmt --check

step "lints (clippy, warnings are errors)"
cargo lint

step "unit, property and integration tests"
cargo t

step "the tests of the ledger, the doors and the services again, with the ledger in PostgreSQL"
tests/postgres.sh cargo t -- ledger identity agreements objections rechecks revisions policy_sets enumeration api || {
  status=$?
  [ "$status" = 77 ] || exit "$status"
  echo "skipped: 1 step, PostgreSQL is missing and could not be installed"
}

step "foreign clients against a running node"
cargo build --release
tests/clients/run.sh "$target"
