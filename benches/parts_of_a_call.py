"""Where the processor time of a call goes: shares of a profile, by the part of the road in whose name it was spent.

    perf script -i perf.data -F comm,ip,sym --no-inline | python3 benches/parts_of_a_call.py [MICROSECONDS A CALL]

A sample belongs to the first part below of whose words one stands anywhere in its stack.
"""

import sys
from collections import Counter

# Threads that do one thing.
THREADS = [
    ("audit-append", [("9 sign (one signature a group)", ["ed25519", "jws::sign"]), ("8 record: write and sync", [""])]),
    ("audit-spare", [("8 record: make the next segment", [""])]),
]
# The rest, from the particular to the general.
PARTS = [
    ("6 look up", ["engine::", "datafusion", "Engine::look_up", "parquet::"]),
    ("5 decide", ["cedar", "PolicySet", "Decider", "Question::in_cedar"]),
    ("9 sign", ["Batch::receipt", "Batch::head", "ReceiptClaims", "receipt_claims", "ed25519", "jws::sign", "receipt::sign"]),
    ("8 record: compose, hash, hand over", ["Record::", "record::_", "leaf_hash", "Pseudonymiser", "Log::", "serialize for shuqiao::audit"]),
    ("1 identify", ["Verifier", "identity::"]),
    ("4 limit", ["Limits", "governor"]),
    ("2 parse", ["Call::parse", "body::json", "exchange::call", "VerificationBody"]),
    ("7 shape and compose the answer", ["shape::", "verification::", "AnswerBody", "serde_jcs", "exchange::body"]),
    ("socket: write", ["writev", "sendmsg", "sendto"]),
    ("socket: read", ["recvfrom", "__libc_recv", "sock_recvmsg"]),
    ("wait and wake", ["epoll", "futex", "park", "notify", "schedule", "eventfd"]),
    ("HTTP", ["hyper", "axum", "tower", "http::", "shuqiao::http"]),
]


def part_of(thread, stack):
    for name, parts in THREADS:
        if thread.startswith(name):
            return next(part for part, words in parts if any(word in stack for word in words))
    return next((part for part, words in PARTS if any(word in stack for word in words)), "other")


def samples(lines):
    thread, stack = None, []
    for line in lines:
        if not line.strip():
            if thread is not None:
                yield thread, "\n".join(stack)
            thread, stack = None, []
        elif thread is None:
            thread = line.strip()
        else:
            stack.append(line.strip())
    if thread is not None:
        yield thread, "\n".join(stack)


def main():
    whole = float(sys.argv[1]) if len(sys.argv) > 1 else None
    counted = Counter(part_of(thread, stack) for thread, stack in samples(sys.stdin))
    total = sum(counted.values()) or 1
    for part, count in sorted(counted.items(), key=lambda item: -item[1]):
        share = count / total
        print(f"{part}\t{share * 100:.1f} %" + (f"\t{share * whole:.1f} us" if whole else ""))


main()
