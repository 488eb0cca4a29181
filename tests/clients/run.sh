#!/usr/bin/env bash
# Foreign clients against a real node on loopback: two JOSE libraries, a verifier of HTTP message signatures and a Delta
# reader that are not ours, an ADBC driver over Flight SQL, and schemathesis over the OpenAPI document.
# Usage: tests/clients/run.sh TARGET_DIR
set -uo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
target="$1"
tools="$target/test-clients"
port="${TEST_PORT:-8649}"
declare -A ports=([batch]=$port [single]=$((port + 1)))
work="$(mktemp -d)"
node=() passed=0 failed=0 skipped=0

finish() {
    for one in "${node[@]}"; do kill "$one" 2>/dev/null && wait "$one" 2>/dev/null; done
    rm -rf "$work"
}
trap finish EXIT

python="$tools/python/bin/python"
if [ ! -f "$tools/python.ready" ] || ! cmp -s "$here/requirements.txt" "$tools/python.ready"; then
    rm -rf "$tools/python" && mkdir -p "$tools"
    python3 -m venv "$tools/python" && "$python" -m pip install --quiet --disable-pip-version-check -r "$here/requirements.txt" \
        && cp "$here/requirements.txt" "$tools/python.ready"
fi
if [ ! -f "$tools/npm.ready" ] || ! cmp -s "$here/package.json" "$tools/npm.ready"; then
    mkdir -p "$tools/npm" && cp "$here/package.json" "$tools/npm/" \
        && (cd "$tools/npm" && npm install --silent --no-audit --no-fund) && cp "$here/package.json" "$tools/npm.ready"
fi

# The platforms above, as deploy/uplink.yaml has them, with keys of this run.
export UPLINK_APP_KEY UPLINK_TOKEN
UPLINK_APP_KEY="$(head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n')"
UPLINK_TOKEN="$(head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n')"
mkdir "$work/keys" && cp "$here/../../deploy/uplink.yaml" "$work/uplink.yaml"
(
    umask 077
    echo "$UPLINK_APP_KEY" >"$work/keys/gz-hukou-window.appkey"
    echo "$UPLINK_APP_KEY" >"$work/keys/national.appkey"
    echo "$UPLINK_TOKEN" >"$work/keys/gz-hukou-window.token"
)

# start FORM: a node that signs its receipts in this form, in the folder of that name.
start() {
    local log="$work/$1.log"
    SHUQIAO_FLIGHT__ADDRESS="127.0.0.1:$((ports[$1] + 10))" SHUQIAO_AUDIT__RECEIPTS="$1" SHUQIAO_UPLINK__FILE="$work/uplink.yaml" SHUQIAO_RECHECKS__RETRY_MS=500 SHUQIAO_RECHECKS__RESEND_MS=500 "$target/release/shuqiao" demo --dir "$work/$1" --port "${ports[$1]}" --persons 2000 >"$log" 2>&1 &
    node+=($!)
    for _ in $(seq 1 240); do
        grep -q 'Ctrl-C stops' "$log" && return
        kill -0 $! 2>/dev/null || break
        sleep 0.5
    done
    cat "$log"
    echo "the node did not come up"
    echo "0 passed, 1 failed, 0 skipped"
    exit 1
}

# use FORM: the checks that follow are of that node.
use() {
    export NODE_PROGRAM="$target/release/shuqiao" SHUQIAO_DIR="$work/$1" NODE_URL="http://127.0.0.1:${ports[$1]}"
    export FLIGHT_URL="grpc://127.0.0.1:$((ports[$1] + 10))"
}

start batch
start single

# check NAME NEEDED COMMAND...: run a check, or say that it was skipped because NEEDED is not there.
check() {
    local name="$1" needed="$2"
    shift 2
    if [ ! -e "$needed" ]; then
        echo "skipped  $name (not installed: $needed)"
        skipped=$((skipped + 1))
    elif "$@" >"$work/check.log" 2>&1; then
        echo "ok       $name"
        passed=$((passed + 1))
    else
        echo "FAILED   $name"
        tail -n 60 "$work/check.log"
        failed=$((failed + 1))
    fi
}

page="$here/../../docs/receipts.md"
for form in single batch; do
    use "$form"
    answers="$work/answers/$form"
    check "make answers with $form receipts" "$tools/python.ready" "$python" "$here/answers.py" "$answers"
    check "$form receipt: PyPI joserfc verifies it, and refuses every changed bit" "$tools/python.ready" \
        "$python" "$here/receipt_joserfc.py" "$answers" "$page"
    check "$form receipt: npm jose verifies it, and refuses every changed bit" "$tools/npm.ready" \
        node "$here/receipt_jose.mjs" "$tools/npm" "$answers" "$page"
done
check "token: PyPI PyJWT makes an assertion that is accepted" "$tools/python.ready" "$python" "$here/token_pyjwt.py"
check "uplink: hashlib and hmac sign calls in both manners, and are answered" "$tools/python.ready" "$python" "$here/uplink_hashlib.py"
check "webhook: PyPI http-message-signatures verifies what a client is told, and refuses what was changed" "$tools/python.ready" "$python" "$here/recheck_message_signatures.py"
check "table: PyPI deltalake reads the published version" "$tools/python.ready" "$python" "$here/table_deltalake.py"
check "catalogue: PyPI rdflib reads the DCAT, and SPARQL finds its datasets" "$tools/python.ready" "$python" "$here/dcat_rdflib.py"
check "statistics: PyPI adbc-driver-flightsql counts, and is refused by rule" "$tools/python.ready" "$python" "$here/statistics_adbc.py"
check "openapi: schemathesis finds no 5xx and no undocumented status" "$tools/python.ready" "$python" "$here/openapi_schemathesis.py"

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
