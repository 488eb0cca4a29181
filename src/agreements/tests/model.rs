//! Random acts by random people against the real ledger, beside a model of what must come of each.
//!
//! The model is written from the law and not from the code: it knows what each item needs, who may do what in which state,
//! and nothing of how the desk goes about it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use proptest::{collection::vec, prelude::*};

use super::office::{
    APPROVAL, BENEFIT, CHANGE, CREDIT, FOOD, HUKOU, LABOUR, MARKET, Office, POLICE, SUBSIDY, approve, ask, at, extend,
    hukou, person, reject, wish,
};
use crate::{
    agreements::{Narrowing, Wish},
    calendar::day_in_china,
    identifiers::{ApplicationId, Role},
    ledger::{
        Actor, AgreementStep, Application, ApplicationState as State, Event, Ledger, Standing, Step, fixture::on_each,
    },
};

#[derive(Clone, Copy, Debug)]
enum Deed {
    Apply(usize),
    Approve(usize),
    Reject,
    Ask,
    Extend(u32),
    Answer,
    Withdraw,
    Stand(usize),
    Sweep,
}

/// Who does what to which application, so many days after the act before.
type Plan = (usize, Deed, usize, i64);

fn plan() -> impl Strategy<Value = Plan> {
    let deed = prop_oneof![
        4 => (0..4_usize).prop_map(Deed::Apply),
        6 => (0..6_usize).prop_map(Deed::Approve),
        1 => Just(Deed::Reject),
        2 => Just(Deed::Ask),
        1 => (0..12_u32).prop_map(Deed::Extend),
        3 => Just(Deed::Answer),
        1 => Just(Deed::Withdraw),
        2 => (0..3_usize).prop_map(Deed::Stand),
        1 => Just(Deed::Sweep),
    ];
    (0..people().len(), deed, 0..8_usize, 0..4_i64)
}

fn people() -> Vec<Actor> {
    use Role::{Approver, Auditor, Consumer, Steward};
    vec![
        person("c1", APPROVAL, &[Consumer]),
        person("c2", APPROVAL, &[Consumer, Approver]),
        person("l1", LABOUR, &[Consumer]),
        person("p1", POLICE, &[Steward]),
        person("p2", POLICE, &[Approver]),
        person("p3", POLICE, &[Steward, Approver]),
        person("p1", POLICE, &[Steward, Approver]), // the steward from above, promoted meanwhile
        person("d1", CREDIT, &[Approver]),
        // A department that provides what it uses: here the same hand could be on both sides.
        person("m1", MARKET, &[Consumer, Steward]),
        person("m2", MARKET, &[Consumer, Steward, Approver]),
        person("m3", MARKET, &[Consumer, Approver]),
        person("z1", POLICE, &[Auditor]),
        person("z2", APPROVAL, &[]),
    ]
}

fn wishes() -> [Wish; 4] {
    [
        hukou(),
        wish("natural-person", &[BENEFIT, SUBSIDY], &["resident_id", "name", "birth_date"], &["name"]),
        wish("social-credit", &[FOOD], &["credit_code", "dishonest"], &["dishonest"]),
        wish("legal-entity", &[CHANGE], &["credit_code", "name"], &[]),
    ]
}

/// Whose item it is, and what it needs of the dataset of its wish.
fn needs(item: &str) -> (&'static str, &'static [&'static str]) {
    match item {
        HUKOU => (APPROVAL, &["resident_id", "name", "birth_date", "sex", "division", "status"]),
        FOOD => (APPROVAL, &["credit_code", "dishonest", "serious_violation"]),
        BENEFIT => (LABOUR, &["resident_id", "name", "birth_date", "status"]),
        SUBSIDY => (LABOUR, &["resident_id", "name"]),
        _ => (MARKET, &["credit_code", "name", "legal_representative", "status", "legal_representative_id"]),
    }
}

fn provider(dataset: &str) -> &'static str {
    match dataset {
        "natural-person" => POLICE,
        "legal-entity" => MARKET,
        _ => CREDIT,
    }
}

fn narrowing(which: usize) -> Narrowing {
    let texts = |list: &[&str]| Some(list.iter().map(|&text| text.to_owned()).collect());
    match which {
        1 => Narrowing { calls_per_day: Some(10), ..Narrowing::default() },
        2 => Narrowing { compare: texts(&["resident_id", "name"]), ..Narrowing::default() },
        3 => Narrowing { items: texts(&[SUBSIDY]), ..Narrowing::default() },
        4 => Narrowing { calls_per_second: Some(6), ..Narrowing::default() },
        5 => Narrowing { items: texts(&[SUBSIDY]), compare: texts(&["resident_id"]), ..Narrowing::default() },
        _ => Narrowing::default(),
    }
}

/// An application as the model remembers it.
struct Remembered {
    wish: Wish,
    consumer: String,
    state: State,
    extended: bool,
    consumers: BTreeSet<String>,
    providers: BTreeSet<String>,
    preparers: BTreeSet<String>,
    granted: Option<BTreeSet<String>>,
    standing: Standing,
    events: usize,
}

#[derive(Default)]
struct Model(Vec<Remembered>);

impl Model {
    /// May the department have these items of the dataset now, beside what is agreed?
    fn is_free(&self, consumer: &str, dataset: &str, items: &BTreeSet<String>) -> bool {
        !self.0.iter().any(|other| {
            other.standing != Standing::Revoked
                && other.consumer == consumer
                && other.wish.dataset == dataset
                && other.granted.as_ref().is_some_and(|granted| !granted.is_disjoint(items))
        })
    }

    fn apply(&mut self, actor: &Actor, which: usize) -> bool {
        let wish = wishes()[which].clone();
        let department = actor.department.to_string();
        let items: BTreeSet<String> = wish.items.iter().cloned().collect();
        if !actor.roles.has_any(&[Role::Consumer]) || !items.iter().all(|item| needs(item).0 == department) {
            return false;
        }
        let at_once = wish.dataset == "social-credit";
        if at_once && !self.is_free(&department, &wish.dataset, &items) {
            return false;
        }
        self.0.push(Remembered {
            consumer: department,
            state: if at_once { State::Granted } else { State::Submitted },
            extended: false,
            consumers: [actor.account.to_string()].into(),
            providers: BTreeSet::new(),
            preparers: BTreeSet::new(),
            granted: at_once.then_some(items),
            standing: Standing::InForce,
            events: 1 + usize::from(at_once),
            wish,
        });
        true
    }

    /// `None`: the law does not let it be granted so. Else the items, and whether it is less than what was asked.
    fn terms(wish: &Wish, which: usize) -> Option<(BTreeSet<String>, bool)> {
        let given = narrowing(which);
        let set = |list: &[String]| list.iter().cloned().collect::<BTreeSet<_>>();
        let of = |less: &Option<Vec<String>>, asked: &[String]| less.as_deref().map_or_else(|| set(asked), set);
        let (items, compare) = (of(&given.items, &wish.items), of(&given.compare, &wish.compare));
        let needed: BTreeSet<&str> = items.iter().flat_map(|item| needs(item).1.iter().copied()).collect();
        let fields = compare.iter().chain(&wish.disclose);
        let lawful = items.is_subset(&set(&wish.items))
            && compare.is_subset(&set(&wish.compare))
            && fields.into_iter().all(|field| needed.contains(field.as_str()))
            && given.calls_per_second.is_none_or(|number| number <= wish.calls_per_second);
        let less = items != set(&wish.items) || compare != set(&wish.compare) || given.calls_per_day.is_some();
        lawful.then_some((items, less))
    }

    fn review(&mut self, actor: &Actor, index: usize, deed: Deed) -> bool {
        let (account, department) = (actor.account.to_string(), actor.department.as_str());
        let decides = actor.roles.has_any(&[Role::Approver]);
        let one = &self.0[index];
        if !actor.roles.has_any(&[Role::Steward, Role::Approver])
            || provider(&one.wish.dataset) != department
            || one.consumers.contains(&account)
        {
            return false;
        }
        let prepared_it = decides && one.preparers.contains(&account);
        let state = match deed {
            Deed::Approve(which) if one.state == State::Submitted && !prepared_it => {
                let Some((items, less)) = Self::terms(&one.wish, which) else { return false };
                if decides && !self.is_free(&one.consumer, &one.wish.dataset, &items) {
                    return false;
                }
                self.0[index].granted = decides.then_some(items);
                if less { State::GrantedInPart } else { State::Granted }
            }
            Deed::Reject if matches!(one.state, State::Submitted | State::AskedBack) && !prepared_it => State::Rejected,
            Deed::Ask if one.state == State::Submitted => State::AskedBack,
            Deed::Extend(1..=10) if one.state == State::Submitted && decides && !one.extended => State::Submitted,
            _ => return false,
        };
        let one = &mut self.0[index];
        one.events += 1;
        one.extended |= matches!(deed, Deed::Extend(_));
        if matches!(deed, Deed::Approve(_) | Deed::Reject) && !decides {
            one.preparers.insert(account.clone());
        } else {
            one.state = state;
        }
        one.providers.insert(account);
        true
    }

    fn of_consumer(&mut self, actor: &Actor, index: usize, deed: Deed) -> bool {
        let account = actor.account.to_string();
        let one = &mut self.0[index];
        if !actor.roles.has_any(&[Role::Consumer])
            || one.consumer != actor.department.as_str()
            || one.providers.contains(&account)
        {
            return false;
        }
        one.state = match (deed, one.state) {
            (Deed::Answer, State::AskedBack) => State::Submitted,
            (Deed::Withdraw, State::Submitted | State::AskedBack) => State::Withdrawn,
            _ => return false,
        };
        one.events += 1;
        one.consumers.insert(account);
        true
    }

    fn stand(&mut self, actor: &Actor, index: usize, step: AgreementStep) -> bool {
        let one = &mut self.0[index];
        let able: &[Role] =
            if step == AgreementStep::Suspended { &[Role::Steward, Role::Approver] } else { &[Role::Approver] };
        let of_provider = provider(&one.wish.dataset) == actor.department.as_str();
        let allowed = match step {
            AgreementStep::Suspended => one.standing == Standing::InForce,
            AgreementStep::Resumed => one.standing == Standing::Suspended,
            AgreementStep::Revoked => one.standing != Standing::Revoked,
        };
        if one.granted.is_none() || !actor.roles.has_any(able) || !of_provider || !allowed {
            return false;
        }
        one.standing = step.standing();
        true
    }
}

const STEPS: [AgreementStep; 3] = [AgreementStep::Suspended, AgreementStep::Resumed, AgreementStep::Revoked];

async fn play(ledger: Ledger, plans: &[Plan]) {
    let office = Office::new(ledger);
    let (people, mut model, mut now) = (people(), Model::default(), at("2026-03-02"));
    let mut escalated: BTreeMap<ApplicationId, usize> = BTreeMap::new();
    for &(who, deed, index, days) in plans {
        now += TimeDelta::days(days);
        let (actor, desk) = (&people[who], office.desk());
        if let Deed::Apply(which) = deed {
            let done = desk.apply(&wishes()[which], actor, now).await;
            assert_eq!(done.is_ok(), model.apply(actor, which), "{actor:?} {deed:?}: {done:?}");
            continue;
        }
        if let Deed::Sweep = deed {
            for (id, _) in desk.sweep(now, |_| false).await.unwrap().escalated {
                *escalated.entry(id).or_default() += 1;
            }
            continue;
        }
        if index >= model.0.len() {
            continue;
        }
        let id: ApplicationId = format!("app-{}", index + 1).parse().unwrap();
        let (done, expected) = match deed {
            Deed::Approve(which) => {
                let review = crate::agreements::Review { grant: Some(narrowing(which)), ..approve() };
                (desk.review(id, &review, actor, now).await.map(|_| ()), model.review(actor, index, deed))
            }
            Deed::Reject => {
                (desk.review(id, &reject(), actor, now).await.map(|_| ()), model.review(actor, index, deed))
            }
            Deed::Ask => (desk.review(id, &ask(), actor, now).await.map(|_| ()), model.review(actor, index, deed)),
            Deed::Extend(by) => {
                (desk.review(id, &extend(by), actor, now).await.map(|_| ()), model.review(actor, index, deed))
            }
            Deed::Answer => {
                (desk.answer(id, "不留存", actor, now).await.map(|_| ()), model.of_consumer(actor, index, deed))
            }
            Deed::Withdraw => {
                (desk.withdraw(id, "业务调整", actor, now).await.map(|_| ()), model.of_consumer(actor, index, deed))
            }
            Deed::Stand(which) => {
                let done = desk.stand(&id.agreement(), STEPS[which], "数据源异常", actor, now).await;
                (done.map(|_| ()), model.stand(actor, index, STEPS[which]))
            }
            Deed::Apply(_) | Deed::Sweep => continue,
        };
        assert_eq!(done.is_ok(), expected, "{actor:?} {deed:?} {id}: {done:?}");
    }
    let auditor = person("auditor", POLICE, &[Role::Auditor]);
    for (index, remembered) in model.0.iter().enumerate() {
        let id: ApplicationId = format!("app-{}", index + 1).parse().unwrap();
        let (application, events) = office.desk().dossier(id, &auditor).await.unwrap();
        assert_eq!(application.state, remembered.state, "{id}");
        assert_eq!(events.len(), remembered.events + escalated.get(&id).copied().unwrap_or(0), "{id}: {events:?}");
        holds(&application, &events);
    }
}

/// What must be true of every application, whatever happened to it.
fn holds(application: &Application, events: &[Event]) {
    let by = |steps: &[Step]| {
        let of = events.iter().filter(|event| steps.contains(&event.step)).filter_map(|event| event.account.clone());
        of.collect::<BTreeSet<_>>()
    };
    let consumers = by(&[Step::Applied, Step::Answered, Step::Withdrawn]);
    let decided = by(&[Step::Approved, Step::ApprovedInPart, Step::Rejected]);
    let prepared = by(&[Step::Prepared]);
    let others = by(&[Step::Asked, Step::Extended]);
    for hands in [&decided, &prepared, &others] {
        assert!(consumers.is_disjoint(hands), "one hand on both sides: {events:?}");
    }
    assert!(prepared.is_disjoint(&decided), "one hand prepared and decided: {events:?}");
    assert_eq!(events[0].step, Step::Applied);
    assert_eq!(events.last().map(|event| event.state), Some(application.state));
    assert!(events.windows(2).all(|pair| pair[0].at <= pair[1].at), "{events:?}");
    let granted = application.granted.as_ref();
    assert_eq!(granted.is_some(), matches!(application.state, State::Granted | State::GrantedInPart));
    if let Some(granted) = granted {
        let asked = &application.asked;
        let needed: BTreeSet<&str> =
            granted.items.iter().flat_map(|item| needs(item.as_str()).1.iter().copied()).collect();
        assert!(granted.items.is_subset(&asked.items));
        assert!(granted.compare.is_subset(&asked.compare) && granted.disclose.is_subset(&asked.disclose));
        assert!(granted.compare.iter().chain(&granted.disclose).all(|field| needed.contains(field.as_str())));
        assert!(granted.calls_per_second <= asked.calls_per_second && granted.calls_per_day <= asked.calls_per_day);
        assert!(granted.valid_from >= asked.valid_from && granted.valid_until <= asked.valid_until);
        let decided_on = application.decided_at.map(day_in_china).unwrap();
        assert!(granted.valid_from >= decided_on, "nobody was allowed before somebody decided");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn what_is_accepted_is_what_the_law_allows(plans in vec(plan(), 1..70)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(on_each(async |ledger| play(ledger, &plans).await));
    }
}
