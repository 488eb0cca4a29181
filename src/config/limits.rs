//! Limits: every queue, body, timeout and cache that can be set has a unit, a default, a floor, a ceiling and a reason.
//!
//! What must hold between the defaults, or between the ceilings, is checked when the node is compiled; what must hold
//! between the values of one node is checked by `Settings` when it starts.

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// `TimeoutStopSec` of `deploy/shuqiao.service`, in milliseconds: systemd kills a node that takes longer to stop.
pub const STOP_MS_MAX: u64 = 30_000;

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Milliseconds,
    Seconds,
    /// May be written with `KiB`, `MiB` or `GiB` as well.
    Bytes,
    /// A plain number of the things named.
    Count(&'static str),
}

/// The bounds of one number.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    pub unit: Unit,
    pub default: u64,
    pub least: u64,
    pub most: u64,
    /// Why not less and why not more: what breaks beyond the bounds.
    pub why: &'static str,
}

impl Limit {
    /// A limit whose default lies within its bounds; anything else does not compile.
    const fn new(unit: Unit, least: u64, default: u64, most: u64, why: &'static str) -> Self {
        assert!(least <= default && default <= most, "the default lies outside the bounds");
        Self { unit, default, least, most, why }
    }
}

pub const BODY_BYTES: Limit = Limit::new(
    Unit::Bytes,
    KIB,
    64 * KIB,
    MIB,
    "a call is under 4 KiB; bodies in flight are memory, so the ceiling times `http.calls_in_flight_max` must fit",
);
pub const HEADER_MS: Limit = Limit::new(
    Unit::Milliseconds,
    100,
    5_000,
    20_000,
    "a peer that sends its headers drop by drop holds a connection for that long",
);
pub const REQUEST_MS: Limit = Limit::new(
    Unit::Milliseconds,
    100,
    10_000,
    20_000,
    "a caller waits no longer than this for an answer, and a node that stops must be able to finish it",
);
pub const CALLS_IN_FLIGHT: Limit = Limit::new(
    Unit::Count("calls"),
    1,
    1_024,
    65_536,
    "more calls at once would wait past their deadline; it is better to refuse the next one at once",
);
pub const SHUTDOWN_GRACE_MS: Limit = Limit::new(
    Unit::Milliseconds,
    100,
    15_000,
    25_000,
    "the service manager kills the node 30 s after it asked it to stop, and a last checkpoint takes time too",
);

pub const LOOKUP_DEADLINE_MS: Limit = Limit::new(
    Unit::Milliseconds,
    10,
    800,
    10_000,
    "a look-up that is late answers `indeterminate`, and there must be time left to record and sign that",
);
pub const LOOKUP_ROWS: Limit = Limit::new(
    Unit::Count("rows"),
    1,
    100,
    10_000,
    "a secondary key may belong to several records; an answer is no way to carry a register away",
);
pub const SQL_MEMORY_BYTES: Limit = Limit::new(
    Unit::Bytes,
    64 * MIB,
    512 * MIB,
    1_024 * GIB,
    "SQL and the sort of a publication spill to disk above it; below 64 MiB a sort has no room to merge",
);

pub const CELL_MIN: Limit = Limit::new(
    Unit::Count("records"),
    3,
    10,
    10_000,
    "a count of one or two points at people; many statistics offices show nothing below ten",
);
pub const STATEMENT_MS: Limit = Limit::new(
    Unit::Milliseconds,
    1,
    10_000,
    600_000,
    "a statement takes cores and memory away from calls for that long",
);
pub const STATEMENTS_AT_ONCE: Limit = Limit::new(
    Unit::Count("statements"),
    1,
    2,
    64,
    "each takes all cores it can get, and all share `lookup.sql_memory_bytes`; calls must not wait for them",
);

pub const CACHE_BYTES: Limit = Limit::new(
    Unit::Bytes,
    16 * MIB,
    64 * GIB,
    16_384 * GIB,
    "a register that does not fit into its cache is fetched again and again, and each miss costs a round trip",
);
pub const CACHE_BLOCK_BYTES: Limit = Limit::new(
    Unit::Bytes,
    4 * KIB,
    256 * KIB,
    16 * MIB,
    "smaller blocks are more requests, larger ones make the first look-up of each wait longer",
);

pub const ACCESS_TTL_S: Limit = Limit::new(
    Unit::Seconds,
    60,
    300,
    3_600,
    "whoever steals a token may use it for that long; shorter means more token requests",
);
pub const ASSERTION_TTL_S: Limit =
    Limit::new(Unit::Seconds, 30, 300, 600, "the replay guard must remember every assertion until it expires");
pub const CLOCK_SKEW_S: Limit =
    Limit::new(Unit::Seconds, 0, 30, 60, "clocks differ; more than a minute is a clock to be repaired");
pub const TOKEN_CACHE_ENTRIES: Limit = Limit::new(
    Unit::Count("entries"),
    1_000,
    100_000,
    10_000_000,
    "the replay guard and the cache of checked tokens hold this many; about 200 bytes each",
);

pub const JWKS_REFRESH_S: Limit = Limit::new(
    Unit::Seconds,
    30,
    300,
    86_400,
    "a key that its issuer has withdrawn is trusted for that long; more often would burden the issuer",
);
pub const JWKS_GRACE_S: Limit = Limit::new(
    Unit::Seconds,
    0,
    3_600,
    604_800,
    "an issuer that is down must not stop calls at once, and keys of a week ago are no proof of anything",
);

pub const PEER_DEADLINE_MS: Limit = Limit::new(
    Unit::Milliseconds,
    100,
    2_000,
    10_000,
    "a clerk waits for it; and a call that passes two nodes must leave each of them time to record and sign",
);
pub const PEERS_AT_ONCE: Limit =
    Limit::new(Unit::Count("nodes"), 1, 21, 64, "each is a connection and a signature; a province has 21 cities");
pub const HEDGE_MS: Limit = Limit::new(
    Unit::Milliseconds,
    1,
    100,
    10_000,
    "asking a copy too early doubles the load of every call, too late helps nobody",
);
pub const PULL_MS: Limit = Limit::new(
    Unit::Milliseconds,
    100,
    2_000,
    60_000,
    "a revoked node goes on until the next look; each look is a request to the issuer",
);
pub const RETURN_ASK_MS: Limit = Limit::new(
    Unit::Milliseconds,
    100,
    60_000,
    86_400_000,
    "a city's copy is that much older than the province's register; each question is one decision there",
);
pub const DIRECTORY_GRACE_S: Limit = Limit::new(
    Unit::Seconds,
    10,
    86_400,
    604_800,
    "cities go on among themselves while the province is away, but a node that was revoked must end some day",
);
pub const CATALOG_STALE_S: Limit = Limit::new(
    Unit::Seconds,
    180,
    900,
    604_800,
    "a node is heard every few seconds, and that is written down every thirty at each node on the way up",
);
pub const PEER_SKEW_S: Limit = Limit::new(
    Unit::Seconds,
    0,
    5,
    30,
    "clocks that are kept by NTP differ by milliseconds; a token lives thirty seconds, and twice this longer",
);

pub const SEGMENT_BYTES: Limit = Limit::new(
    Unit::Bytes,
    128 * KIB,
    64 * MIB,
    GIB,
    "a segment is read from its start after a crash, and copied as a whole by a backup",
);
pub const AUDIT_QUEUE: Limit = Limit::new(
    Unit::Count("records"),
    1,
    4_096,
    1_048_576,
    "records that wait for the disk; a longer queue only turns a slow disk into a late answer",
);
pub const CHECKPOINT_S: Limit =
    Limit::new(Unit::Seconds, 1, 10, 3_600, "between two checkpoints the log's head is vouched for by receipts only");

pub const UNCONDITIONAL_DAYS: Limit = Limit::new(
    Unit::Count("working days"),
    1,
    1,
    20,
    "State Council decree 809 gives one working day to answer what is shared without conditions, and twenty to share what was \
     granted",
);
pub const REVIEW_DAYS: Limit = Limit::new(
    Unit::Count("working days"),
    1,
    10,
    10,
    "State Council decree 809 gives a provider ten working days to answer",
);
pub const SHARING_DAYS: Limit = Limit::new(
    Unit::Count("working days"),
    1,
    20,
    20,
    "State Council decree 809 gives twenty working days from consent to sharing",
);
pub const EXTENSION_DAYS: Limit = Limit::new(
    Unit::Count("working days"),
    1,
    10,
    20,
    "the law allows an extension with consent and names no number: not longer than the review itself, unless a rule of the \
     province says so",
);
pub const ESCALATION_DAYS: Limit =
    Limit::new(Unit::Count("working days"), 1, 5, 60, "a week is long enough for whoever was told first to act");

pub const OBJECTION_DAYS: Limit = Limit::new(
    Unit::Count("working days"),
    1,
    10,
    30,
    "whoever was told something wrong is harmed by every day; beyond six weeks nobody waits",
);

pub const RECHECK_S: Limit = Limit::new(
    Unit::Seconds,
    1,
    259_200,
    2_592_000,
    "an outage over a weekend is outlasted; a case that was accepted provisionally is closed within the month, and what waits \
     is somebody's number, kept sealed",
);
pub const RETRY_MS: Limit = Limit::new(
    Unit::Milliseconds,
    50,
    30_000,
    3_600_000,
    "each try is a call with its record in the log; a source that was away for a moment is back within the minute",
);
pub const RECHECKS_WAITING: Limit = Limit::new(
    Unit::Count("calls"),
    1,
    10_000,
    1_000_000,
    "an outage of an hour at a large hall; each is up to `http.body_bytes_max` in the ledger",
);
pub const RECHECKS_KEPT_S: Limit = Limit::new(
    Unit::Seconds,
    60,
    604_800,
    2_592_000,
    "a client that was away for a holiday still finds its answers; an answer may hold what a register says, so not for ever",
);
pub const RESEND_MS: Limit = Limit::new(
    Unit::Milliseconds,
    50,
    5_000,
    3_600_000,
    "a client's system that restarts is back in seconds; one that is down gains nothing from being asked more often",
);
pub const SENDS: Limit = Limit::new(
    Unit::Count("tries"),
    1,
    24,
    1_000,
    "with the other defaults about fourteen hours: a night; then somebody should look, and replay what is dead",
);

pub const CALLS_PER_SECOND: Limit = Limit::new(
    Unit::Count("calls per second"),
    1,
    1000,
    1_000_000,
    "one client must not take the node away from the others, whatever its agreements allow",
);

const SCORE: Unit = Unit::Count("natural logarithm of odds");
pub const WARN_SCORE: Limit =
    Limit::new(SCORE, 3, 10, 50, "honest clients reach less than 3 by chance every day; above 50 nothing is a warning");
pub const SLOW_SCORE: Limit =
    Limit::new(SCORE, 5, 15, 80, "an honest client with an old list reaches 10 in a month; see docs/enumeration.md");
pub const BLOCK_SCORE: Limit = Limit::new(
    SCORE,
    10,
    20,
    99,
    "blocked terminals turn people away, so the evidence must be overwhelming; a score ends at 100",
);
pub const SLOW_S: Limit = Limit::new(
    Unit::Seconds,
    60,
    1_800,
    86_400,
    "shorter, a harvester waits for it; longer, a slip of a day is felt the next",
);
pub const BLOCK_S: Limit = Limit::new(
    Unit::Seconds,
    60,
    3_600,
    86_400,
    "a steward needs time to look; a block of more than a day should be somebody's decision",
);
pub const SLOW_CALLS: Limit = Limit::new(
    Unit::Count("calls a minute"),
    1,
    60,
    6_000,
    "a slowed client must be able to serve a few windows, and not to carry a register away",
);
pub const SUBJECTS_PER_DAY: Limit = Limit::new(
    Unit::Count("subjects"),
    100,
    100_000,
    100_000_000,
    "a large hall asks about 20,000 people a day; a register has a hundred million",
);
pub const SURGE_FACTOR: Limit =
    Limit::new(Unit::Count("times"), 2, 8, 1_000, "a Monday after a holiday has four times the people of a Friday");
pub const SURGE_FROM: Limit =
    Limit::new(Unit::Count("subjects"), 10, 2_000, 1_000_000, "small clients have good days without being harvesters");
pub const DISMISSED_S: Limit = Limit::new(
    Unit::Seconds,
    0,
    86_400,
    604_800,
    "who was dismissed once must not be trusted for ever; 0: suspicion begins again at once",
);
pub const KEEP_MS: Limit = Limit::new(
    Unit::Milliseconds,
    200,
    2_000,
    60_000,
    "each time is a write of some kilobytes a busy client; a crash loses the order of the calls since",
);

// A late look-up still leaves time to record, sign and send `indeterminate` (promises 1 and 2).
const _: () = assert!(LOOKUP_DEADLINE_MS.default < REQUEST_MS.default);
const _: () = assert!(LOOKUP_DEADLINE_MS.most < REQUEST_MS.most);
const _: () = assert!(PEER_DEADLINE_MS.default < REQUEST_MS.default);
// Headers are a part of the request.
const _: () = assert!(HEADER_MS.default <= REQUEST_MS.default);
const _: () = assert!(HEADER_MS.most <= REQUEST_MS.most);
// A call that was accepted before the stop can end before the grace period does, and that before the kill.
const _: () = assert!(REQUEST_MS.default <= SHUTDOWN_GRACE_MS.default);
const _: () = assert!(REQUEST_MS.most <= SHUTDOWN_GRACE_MS.most);
const _: () = assert!(SHUTDOWN_GRACE_MS.most < STOP_MS_MAX);
// Tolerance for clocks never doubles the life of a token or an assertion.
const _: () = assert!(CLOCK_SKEW_S.most <= ACCESS_TTL_S.least);
const _: () = assert!(CLOCK_SKEW_S.default < ASSERTION_TTL_S.least + 1);
// Each level of suspicion is reached before the next.
const _: () = assert!(WARN_SCORE.default < SLOW_SCORE.default && SLOW_SCORE.default < BLOCK_SCORE.default);
// Bodies in flight at their ceiling fit into an ordinary machine.
const _: () = assert!(BODY_BYTES.most * CALLS_IN_FLIGHT.most <= 64 * GIB);
const _: () = assert!(BODY_BYTES.default * CALLS_IN_FLIGHT.default <= 64 * MIB);
// Every call in flight finds a place in the queue of the audit log.
const _: () = assert!(CALLS_IN_FLIGHT.default <= AUDIT_QUEUE.default);
