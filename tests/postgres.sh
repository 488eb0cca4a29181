#!/usr/bin/env bash
# Run a command with a PostgreSQL server of its own, on a Unix socket, thrown away afterwards:
#
#   tests/postgres.sh COMMAND...
#
# The server's address stands in TEST_POSTGRES. PostgreSQL is installed from the system's packages where it is
# missing and that is possible; exit status 77 says that there is none.
set -euo pipefail

programs() {
  # Debian keeps the server's programs off the path.
  local found
  found="$(command -v initdb || ls -d /usr/lib/postgresql/*/bin/initdb /usr/pgsql-*/bin/initdb 2>/dev/null | sort -V | tail -n 1 || true)"
  [ -n "$found" ] && dirname "$found"
}

if ! programs >/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  { apt-get install -y -qq --no-install-recommends postgresql >/dev/null 2>&1 ||
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends postgresql; } >/dev/null 2>&1; } || true
fi
bin="$(programs)" || exit 77

home="$(mktemp -d "${TMPDIR:-/tmp}/shuqiao-postgres.XXXXXX")"
as=()
if [ "$(id -u)" = 0 ]; then # PostgreSQL refuses to run as root
  chown nobody "$home"
  as=(setpriv --reuid=nobody --clear-groups)
fi
stop() {
  "${as[@]}" "$bin/pg_ctl" -D "$home/data" -m immediate stop >/dev/null 2>&1 || true
  rm -rf "$home"
}
trap stop EXIT
cd "$home"
"${as[@]}" "$bin/initdb" -D "$home/data" -U shuqiao -A trust --no-sync -E UTF8 --locale=C.UTF-8 >"$home.log" 2>&1 ||
  { cat "$home.log" >&2; exit 1; }
rm -f "$home.log"
"${as[@]}" "$bin/pg_ctl" -D "$home/data" -w -l "$home/server.log" \
  -o "-k $home -c listen_addresses= -c max_connections=300 -c fsync=off" start >/dev/null
cd "$OLDPWD"
TEST_POSTGRES="postgres:///postgres?host=$home&user=shuqiao" "$@"
