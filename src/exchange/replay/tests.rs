//! Replays over a log of made-up calls, with seeded mistakes that must be found.

use std::{
    path::Path,
    sync::{Arc, LazyLock},
};

use super::{
    super::{
        fixtures::{GUANGDONG, in_repository},
        recorded::{self, NotExplained},
        rehearsal::{Rehearsal, rehearse},
    },
    *,
};
use crate::{
    agreements,
    audit::{self, LogOptions, Record, RecordedDecision},
    policy::PolicyFiles,
};

const SINCE: &str = "2026-10-25T00:00:00Z";
const UNTIL: &str = "2026-11-24T00:00:00Z";

static AGREEMENTS: LazyLock<Agreements> =
    LazyLock::new(|| agreements::load(&in_repository("catalogs/guangdong-agreements.yaml"), &GUANGDONG).unwrap());
static POLICIES: LazyLock<Arc<PolicySet>> =
    LazyLock::new(|| Arc::new(PolicySet::load(&in_repository("policies")).unwrap()));

/// A mistake somebody makes in a policy: its name, and what becomes of the policy's text. Empty where it is removed.
type Mistake = (&'static str, &'static str, &'static str);

const MISTAKES: [Mistake; 10] = [
    ("item-of-caller", "", ""),
    ("agreement-in-force", "", ""),
    ("agreement-required", "", ""),
    ("fold-not-found-without-case", "", ""),
    ("fields-needed-by-item", "containsAll(context.asked)", "containsAll(context.asked) || context.case_given"),
    (
        "fields-agreed-for-comparison",
        "context.agreement.compare.containsAll(context.asked)",
        "context.agreement.compare.contains(context.subject_field)",
    ),
    (
        "fields-agreed-for-disclosure",
        "context.agreement.disclose.containsAll(context.fields)",
        "context.agreement.disclose.containsAll(context.asked)",
    ),
    ("case-required-for-sensitive", "context.sensitivity >= 4", "context.sensitivity > 4"),
    ("disclose-under-agreement", "@obligation_mask_sensitivity(\"3\")", "@obligation_mask_sensitivity(\"4\")"),
    ("verify-under-agreement", "when { context has agreement }", "when { context has agreement && context.hour < 22 }"),
];

/// The repository's policies with some mistakes in them.
fn mistaken(mistakes: &[Mistake]) -> PolicySet {
    let files = PolicyFiles::read(&in_repository("policies")).unwrap();
    let mut sources = Vec::new();
    for (name, file) in &files.policies {
        let mut text = String::new();
        for policy in file.parse::<cedar_policy::PolicySet>().unwrap().policies() {
            let id = policy.annotation("id").unwrap();
            let own = policy.to_cedar().unwrap();
            match mistakes.iter().find(|(mistaken, ..)| *mistaken == id) {
                None => text += &own,
                Some((_, "", _)) => {}
                Some((_, old, new)) => {
                    assert!(own.contains(old), "{id} has no `{old}`");
                    text += &own.replace(old, new);
                }
            }
            text += "\n";
        }
        sources.push((name.clone(), text));
    }
    PolicySet::from_sources(&files.schema, &sources).unwrap()
}

async fn rehearsed(calls: u64, segment_bytes: u64) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let rehearsal = Rehearsal {
        catalog: &GUANGDONG,
        agreements: &AGREEMENTS,
        policies: Arc::clone(&POLICIES),
        calls,
        seed: 7,
        since: SINCE.parse().unwrap(),
        until: UNTIL.parse().unwrap(),
        progress: &|_| {},
    };
    let options = LogOptions { segment_bytes, ..LogOptions::default() };
    assert_eq!(rehearse(dir.path(), options, &rehearsal).await.unwrap(), calls);
    dir
}

fn plan<'a>(candidate: &'a PolicySet, agreements: &'a Agreements) -> ReplayPlan<'a> {
    ReplayPlan {
        catalog: &GUANGDONG,
        agreements,
        in_force: &POLICIES,
        candidate,
        baseline: Baseline::InForce,
        since: SINCE.parse().unwrap(),
        until: UNTIL.parse().unwrap(),
        examples_max: 3,
        deadline: None,
        progress: &|_| {},
    }
}

fn replayed(log: &Path, plan: &ReplayPlan<'_>) -> Replay {
    replay(audit::parts(log).unwrap(), plan).unwrap()
}

/// Calls in the log of the large test. The same with a million: `tests/it/cli/policy.rs`.
const MANY: u64 = 100_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_of_ten_mistakes_is_named_together_and_alone() {
    let log = rehearsed(MANY, 8 * 1024 * 1024).await;
    let all = mistaken(&MISTAKES);
    let together = replayed(log.path(), &plan(&all, &AGREEMENTS));
    assert_eq!((together.calls, together.decided, together.drift.all()), (MANY, MANY, 0));
    let mut expected: Vec<_> = MISTAKES.iter().map(|(id, ..)| *id).collect();
    expected.sort_unstable();
    let named: Vec<_> = together.by_policy.iter().map(|policy| policy.policy.as_str()).collect();
    assert_eq!(named, expected);
    for policy in &together.by_policy {
        assert!(policy.counts.all() > 0 && !policy.examples.is_empty(), "no call shows {policy:?}");
    }
    // The log is read twice more for all of the others: once for those that do not depend on the hour.
    let read = |depends| {
        let window = Window { since: together.since, until: together.until, depends, examples_max: 3 };
        read_all(audit::parts(log.path()).unwrap(), &window, &plan(&POLICIES, &AGREEMENTS)).unwrap().0
    };
    let (by_day, by_hour) = (read(POLICIES.depends()), read(all.depends()));
    for mistake in MISTAKES {
        let one = mistaken(&[mistake]);
        let questions = if one.depends().hour { &by_hour } else { &by_day };
        let alone = judge::judge(questions, &plan(&one, &AGREEMENTS));
        let [policy] = alone.by_policy.as_slice() else { panic!("{mistake:?}: {:?}", alone.by_policy) };
        assert_eq!(policy.policy, mistake.0);
        assert!(policy.counts.all() > 0, "{mistake:?}: no call shows it");
        assert_eq!(policy.counts, alone.flipped, "{mistake:?}: every flip is its doing");
        assert!(alone.flips.iter().all(|flip| flip.because_of == [mistake.0]), "{mistake:?}");
        let sums = |counts: Vec<Counts>| counts.iter().map(Counts::all).sum::<u64>();
        assert_eq!(sums(alone.by_department.into_values().collect()), alone.flipped.all());
        assert_eq!(sums(alone.by_item.into_values().collect()), alone.flipped.all());
        assert_eq!(sums(alone.by_dataset.into_values().collect()), alone.flipped.all());
    }
}

#[tokio::test]
async fn a_replay_says_what_each_call_decided_by_itself_says() {
    let log = rehearsed(3_000, 128 * 1024).await;
    let candidate = mistaken(&MISTAKES);
    assert!(audit::parts(log.path()).unwrap().len() > 5, "several segments are read side by side");
    let replay = replayed(log.path(), &plan(&candidate, &AGREEMENTS));
    let mut expected = Counts::default();
    for entry in audit::read(log.path(), 0).unwrap() {
        let record = Record::from_bytes(&entry.unwrap().1).unwrap();
        let say = |set: &PolicySet| recorded::explain(&record, &GUANGDONG, &AGREEMENTS, set).unwrap().decision;
        let (before, after) = (say(&POLICIES), say(&candidate));
        assert_eq!(before.allows(), record.decision == RecordedDecision::Allow);
        let kind = match (before.allows(), after.allows()) {
            (true, false) => FlipKind::AllowToDeny,
            (false, true) => FlipKind::DenyToAllow,
            _ if before.obligation_words() != after.obligation_words() => FlipKind::Obligations,
            _ if before.policies() != after.policies() => FlipKind::Reasons,
            _ => continue,
        };
        expected.add(kind, 1);
    }
    assert_eq!(replay.flipped, expected);
    assert!(expected.allow_to_deny > 0 && expected.deny_to_allow > 0 && expected.obligations > 0);
}

#[tokio::test]
async fn the_same_policies_change_nothing_and_wording_is_no_change() {
    let log = rehearsed(1_000, 128 * 1024).await;
    let reworded = mistaken(&[("item-in-force", "is not in force today", "has ended, or is to come")]);
    assert_ne!(reworded.hash(), POLICIES.hash());
    let same = replayed(log.path(), &plan(&reworded, &AGREEMENTS));
    assert_eq!((same.decided, same.flipped.all(), same.drift.all()), (1_000, 0, 0));
    assert!(same.by_policy.is_empty() && same.flips.is_empty() && same.undecidable.is_empty());
}

#[tokio::test]
async fn what_is_gone_is_undecidable_by_name_and_what_has_changed_is_drift() {
    let log = rehearsed(2_000, 128 * 1024).await;
    let text = std::fs::read_to_string(in_repository("catalogs/guangdong-agreements.yaml")).unwrap();
    let gone = text.replace("id: agr-gz-hukou-person", "id: agr-renamed");
    let gone = agreements::load_from("a.yaml", &gone, &GUANGDONG).unwrap();
    let replay = replayed(log.path(), &plan(&POLICIES, &gone));
    let [undecidable] = replay.undecidable.as_slice() else { panic!("{:?}", replay.undecidable) };
    assert_eq!(undecidable.reason, "the agreement `agr-gz-hukou-person` is gone");
    let named: Vec<_> = undecidable.tally.call_ids().collect();
    assert_eq!((named.len(), undecidable.tally.calls > 3), (3, true));
    let record = audit::find(log.path(), &named[0].parse().unwrap()).unwrap().unwrap();
    assert_eq!(record.agreement.as_ref().map(AsRef::as_ref), Some("agr-gz-hukou-person"));
    let explained = recorded::explain(&record, &GUANGDONG, &gone, &POLICIES).unwrap_err();
    assert_eq!(explained, NotExplained::Gone(undecidable.reason.clone()));

    let shrunk =
        text.replace("compare: [resident_id, name, birth_date, sex, division, status]", "compare: [resident_id, name]");
    let shrunk = agreements::load_from("a.yaml", &shrunk, &GUANGDONG).unwrap();
    let replay = replayed(log.path(), &plan(&POLICIES, &shrunk));
    assert!(replay.drift.allow_to_deny > 0, "{:?}", replay.drift);
    assert_eq!(replay.flipped.all(), 0, "the candidate is the set in force");
    let against_record = ReplayPlan { baseline: Baseline::Record, ..plan(&POLICIES, &shrunk) };
    assert_eq!(replayed(log.path(), &against_record).flipped, replay.drift);
}

#[tokio::test]
async fn only_calls_in_the_time_are_decided_and_refusals_before_policy_are_not() {
    let log = rehearsed(3_000, 128 * 1024).await;
    let half = "2026-11-09T00:00:00Z".parse().unwrap();
    let late = replayed(log.path(), &ReplayPlan { since: half, ..plan(&POLICIES, &AGREEMENTS) });
    let early = replayed(log.path(), &ReplayPlan { until: half, ..plan(&POLICIES, &AGREEMENTS) });
    assert_eq!((early.calls, late.calls), (1_500, 1_500));
    assert!(late.records < 3_000, "segments before the time are not read: {}", late.records);

    let (log_, _) = audit::Log::open(log.path(), LogOptions::default()).unwrap();
    let time = half;
    let mut refused =
        Record::begin("0193a5b2-7c00-7000-8000-000000000001".parse().unwrap(), time, audit::Operation::Token, [1; 32]);
    refused.refused(crate::problem::Code::ClientRejected);
    log_.append(refused.to_bytes().unwrap()).await.unwrap();
    let mut refused = Record::begin(
        "0193a5b2-7c00-7000-8000-000000000002".parse().unwrap(),
        time,
        audit::Operation::Disclosure,
        [1; 32],
    );
    refused.refused(crate::problem::Code::TokenMissing);
    log_.append(refused.to_bytes().unwrap()).await.unwrap();
    assert_eq!(recorded::explain(&refused, &GUANGDONG, &AGREEMENTS, &POLICIES).unwrap_err(), NotExplained::NotDecided);
    log_.append(b"{\"call_id\":".to_vec()).await.unwrap();
    drop(log_);
    let all = replayed(log.path(), &plan(&POLICIES, &AGREEMENTS));
    assert_eq!((all.records, all.calls, all.decided, all.refused_before), (3_003, 3_001, 3_000, 1));
    let [unreadable] = all.undecidable.as_slice() else { panic!("{:?}", all.undecidable) };
    assert_eq!((unreadable.tally.calls, unreadable.tally.call_ids().next()), (1, Some("record 3002")));
}

#[tokio::test]
async fn how_a_call_came_is_replayed_as_it_was_recorded() {
    let log = rehearsed(200, 128 * 1024).await;
    let mut files = PolicyFiles::read(&in_repository("policies")).unwrap();
    let text = "@id(\"manner\") @why(\"x\") forbid (principal, action, resource) when { context.volume >= 50 && \
                context.channel == \"peer\" && context.origin == \"shenzhen\" && context.consent_given && \
                context.operator_given && context.approver_given };";
    files.policies.push(("manner.cedar".to_owned(), text.to_owned()));
    let candidate = files.set().unwrap();
    let mut records = audit::read(log.path(), 0).unwrap().map(|entry| Record::from_bytes(&entry.unwrap().1).unwrap());
    let usual = records.find(|record| record.decision == RecordedDecision::Allow).unwrap();
    let mut unusual = usual.clone();
    unusual.manner("peer", &"shenzhen".parse().unwrap(), 60);
    unusual.consent = Some("C-1".parse().unwrap());
    (unusual.operator, unusual.approver) = (Some("p1:01".to_owned()), Some("p1:02".to_owned()));
    // Each lacks one of what the policy speaks of.
    let lacking: [fn(&mut Record); 6] = [
        |record| record.volume = 40,
        |record| record.channel = None,
        |record| record.origin = Some("guangdong".parse().unwrap()),
        |record| record.consent = None,
        |record| record.operator = None,
        |record| record.approver = None,
    ];
    let (open, _) = audit::Log::open(log.path(), LogOptions::default()).unwrap();
    open.append(unusual.to_bytes().unwrap()).await.unwrap();
    for lack in lacking {
        let mut record = unusual.clone();
        lack(&mut record);
        open.append(record.to_bytes().unwrap()).await.unwrap();
        assert!(recorded::explain(&record, &GUANGDONG, &AGREEMENTS, &candidate).unwrap().decision.allows());
    }
    drop(open);
    let said = recorded::explain(&unusual, &GUANGDONG, &AGREEMENTS, &candidate).unwrap().decision;
    assert_eq!(said.policies(), ["manner"]);
    let replay = replayed(log.path(), &plan(&candidate, &AGREEMENTS));
    assert_eq!((replay.decided, replay.flipped.all(), replay.flipped.allow_to_deny), (207, 1, 1));
    assert_eq!(replay.drift.all(), 0);
}

#[tokio::test]
async fn a_segment_that_was_cut_is_an_error_and_not_fewer_calls() {
    let log = rehearsed(3_000, 128 * 1024).await;
    let mut segments: Vec<_> = std::fs::read_dir(log.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    segments.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
    segments.sort();
    let mut bytes = std::fs::read(&segments[2]).unwrap();
    let used = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    bytes[used - 10_000..].fill(0);
    std::fs::write(&segments[2], bytes).unwrap();
    let error = replay(audit::parts(log.path()).unwrap(), &plan(&POLICIES, &AGREEMENTS)).unwrap_err();
    assert_eq!(error.code(), crate::problem::Code::LogDamaged, "{error}");
    assert!(error.to_string().contains(segments[2].to_str().unwrap()), "{error}");
}
