//! The road of an application, act by act, and what is said where one is refused.

use std::collections::BTreeSet;

use chrono::TimeDelta;

use super::office::{
    APPROVAL, CREDIT, FOOD, HUKOU, LABOUR, Office, POLICE, approve, ask, at, extend, hukou, person, reject, wish,
};
use crate::{
    agreements::{ApplicationView, DeskError, DossierView, Listing, Narrowing, Renewal, Review, Wish, load_from},
    catalog::SharingAttribute,
    identifiers::{ApplicationId, Role},
    ledger::{Actor, AgreementStep, Application, ApplicationState as State, Clock, fixture::on_each},
    problem::{Code, Problem},
};

fn clerk() -> Actor {
    person("clerk", APPROVAL, &[Role::Consumer])
}

fn approver() -> Actor {
    person("approver", POLICE, &[Role::Approver])
}

fn steward() -> Actor {
    person("steward", POLICE, &[Role::Steward])
}

fn refusal<T: std::fmt::Debug>(done: Result<T, DeskError>) -> Problem {
    match done {
        Err(DeskError::Refused(problem)) => problem,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

fn said(problem: &Problem) -> (Code, &str) {
    (problem.code, problem.field.as_deref().unwrap_or_default())
}

/// An application for household registration, made on the second of March.
async fn applied(office: &Office) -> Application {
    office.desk().apply(&hukou(), &clerk(), at("2026-03-02")).await.unwrap()
}

#[tokio::test]
async fn an_application_is_prepared_and_granted_in_part() {
    on_each(async |ledger| {
        let office = Office::new(ledger);
        let desk = office.desk();
        let made = applied(&office).await;
        assert_eq!((made.id.to_string().as_str(), made.state), ("app-1", State::Submitted));
        let view = ApplicationView::new(&made, &office.calendar, at("2026-03-02"));
        assert_eq!((view.due.as_deref(), view.provisional, view.overdue), (Some("2026-03-16"), false, false));

        let part = Review {
            grant: Some(Narrowing { compare: Some(vec!["resident_id".into(), "name".into()]), ..Narrowing::default() }),
            ..approve()
        };
        let prepared = desk.review(made.id, &part, &steward(), at("2026-03-03")).await.unwrap();
        assert_eq!((prepared.state, prepared.granted), (State::Submitted, None), "a steward does not decide");
        let stamp = office.ledger.stamp().await.unwrap();
        let granted = desk.review(made.id, &part, &approver(), at("2026-03-04")).await.unwrap();
        assert_ne!(office.ledger.stamp().await.unwrap(), stamp, "nodes must hear of a grant");
        assert_eq!(granted.state, State::GrantedInPart);
        let terms = granted.granted.clone().unwrap();
        assert_eq!(terms.compare.iter().map(|field| field.as_str()).collect::<Vec<_>>(), ["name", "resident_id"]);
        assert_eq!(terms.valid_from.to_string(), "2026-03-04", "nobody was allowed before it was decided");

        let (application, events) = desk.dossier(made.id, &clerk()).await.unwrap();
        assert_eq!(application, granted);
        let timeline = DossierView::new(&application, &events, &office.calendar, at("2026-03-04")).timeline;
        let told: Vec<_> = timeline.iter().map(|one| (one.account.as_str(), one.step.as_str())).collect();
        assert_eq!(told, [("clerk", "applied"), ("steward", "prepared"), ("approver", "approved_in_part")]);
        assert_eq!(timeline[1].verdict.as_deref(), Some("approve"));
        let joined = office.agreements.join(&office.ledger.agreed().await.unwrap()).unwrap();
        let (consumer, dataset) = (APPROVAL.parse().unwrap(), "natural-person".parse().unwrap());
        let day = |text: &str| text.parse().unwrap();
        let found = joined.find(&consumer, &dataset, &HUKOU.parse().unwrap(), day("2026-03-04")).unwrap();
        assert_eq!((found.id.as_str(), found.compare.len()), ("app-1", 2));
        let acts: Vec<_> = office.ledger.acts(None, 9).await.unwrap().into_iter().map(|act| act.act).collect();
        assert_eq!(acts, ["application approved_in_part", "application prepared", "application applied"]);
    })
    .await;
}

#[tokio::test]
async fn shared_without_conditions_is_granted_at_once_and_not_shared_is_refused_with_its_ground() {
    on_each(async |ledger| {
        let mut office = Office::new(ledger);
        let credit = wish("social-credit", &[FOOD], &["credit_code", "dishonest"], &[]);
        let made = office.desk().apply(&credit, &clerk(), at("2026-03-02")).await.unwrap();
        assert_eq!((made.state, made.granted.as_ref()), (State::Granted, Some(&made.asked)));
        let (_, events) = office.desk().dossier(made.id, &clerk()).await.unwrap();
        assert_eq!(events.iter().map(|event| event.step.as_str()).collect::<Vec<_>>(), ["applied", "granted_by_law"]);
        assert_eq!(events[1].account, None);

        let dataset = office.catalog.datasets.get_mut("natural-person").unwrap();
        let mut secret = crate::catalog::Dataset::clone(dataset);
        secret.sharing.attribute = SharingAttribute::NotShared;
        secret.sharing.ground = Some("《某法》第三条规定不得提供".to_owned());
        *dataset = std::sync::Arc::new(secret);
        let problem = refusal(office.desk().apply(&hukou(), &clerk(), at("2026-03-02")).await);
        assert_eq!(said(&problem), (Code::NotShared, "/dataset"));
        assert!(problem.detail.contains("《某法》第三条"), "{problem}");
    })
    .await;
}

#[tokio::test]
async fn a_question_pauses_the_clock_and_an_extension_lengthens_it_once() {
    on_each(async |ledger| {
        let office = Office::new(ledger);
        let desk = office.desk();
        let id = applied(&office).await.id;
        let asked = desk.review(id, &ask(), &steward(), at("2026-03-04")).await.unwrap();
        assert_eq!((asked.state, asked.clock), (State::AskedBack, Clock::Paused { working_days: 9 }));
        assert_eq!(
            said(&refusal(desk.review(id, &approve(), &approver(), at("2026-03-05")).await)),
            (Code::Conflict, "")
        );
        let answered = desk.answer(id, "不留存", &clerk(), at("2026-03-10")).await.unwrap();
        let due = |application: &Application| {
            ApplicationView::new(application, &office.calendar, at("2026-03-10")).due.unwrap()
        };
        assert_eq!(due(&answered), "2026-03-23");
        let far = refusal(desk.review(id, &extend(11), &approver(), at("2026-03-11")).await);
        assert_eq!(said(&far), (Code::InvalidValue, "/working_days"));
        let extended = desk.review(id, &extend(5), &approver(), at("2026-03-11")).await.unwrap();
        assert_eq!(due(&extended), "2026-03-30");
        assert_eq!(refusal(desk.review(id, &extend(5), &approver(), at("2026-03-11")).await).code, Code::Conflict);
        let of_steward = refusal(desk.review(id, &extend(5), &steward(), at("2026-03-11")).await);
        assert_eq!(of_steward.code, Code::RoleRequired);
    })
    .await;
}

#[tokio::test]
async fn what_is_overdue_is_listed_and_escalated_once_a_level() {
    on_each(async |ledger| {
        let office = Office::new(ledger);
        let desk = office.desk();
        let id = applied(&office).await.id; // due on the 16th of March
        let listing = Listing { overdue: true, limit: 10, ..Listing::default() };
        let mut said = Vec::new();
        for day in ["2026-03-16", "2026-03-17", "2026-03-18", "2026-03-23", "2026-03-24"] {
            let late = desk.list(&listing, &steward(), at(day)).await.unwrap();
            assert_eq!(late.len(), usize::from(day > "2026-03-16"), "{day}");
            for (_, level) in desk.sweep(at(day), |_| true).await.unwrap().escalated {
                said.push((day, level));
            }
            assert_eq!(desk.sweep(at(day), |_| true).await.unwrap().escalated, [], "once a level");
        }
        assert_eq!(said, [("2026-03-17", 1), ("2026-03-23", 2)]);

        // The clock of sharing: it stops when the dataset is served.
        let granted = desk.review(id, &approve(), &approver(), at("2026-03-25")).await.unwrap();
        assert_eq!((granted.escalated, granted.shared_at), (0, None));
        let late = desk.sweep(at("2026-04-30"), |_| false).await.unwrap();
        assert_eq!((late.escalated.len(), late.shared.len()), (1, 0));
        assert_eq!(desk.sweep(at("2026-04-30"), |_| true).await.unwrap().shared, [id]);
        assert_eq!(desk.sweep(at("2026-05-30"), |_| true).await.unwrap(), Default::default());
        let (application, events) = desk.dossier(id, &clerk()).await.unwrap();
        assert_eq!((application.clock, application.shared_at), (Clock::Stopped, Some(at("2026-04-30"))));
        assert_eq!(events.last().unwrap().step.as_str(), "shared");
    })
    .await;
}

#[tokio::test]
async fn nobody_is_on_both_sides() {
    on_each(async |ledger| {
        let office = Office::new(ledger);
        let desk = office.desk();
        let id = applied(&office).await.id;
        let now = at("2026-03-03");
        // The applicant, in a post at the provider by now; the steward who prepared it, promoted; others without the post.
        let turned = person("clerk", POLICE, &[Role::Approver]);
        assert_eq!(refusal(desk.review(id, &approve(), &turned, now).await).code, Code::SeparationOfDuties);
        desk.review(id, &approve(), &steward(), now).await.unwrap();
        let promoted = person("steward", POLICE, &[Role::Approver]);
        assert_eq!(refusal(desk.review(id, &approve(), &promoted, now).await).code, Code::SeparationOfDuties);
        let moved = person("steward", APPROVAL, &[Role::Consumer]);
        assert_eq!(refusal(desk.withdraw(id, "x", &moved, now).await).code, Code::SeparationOfDuties);
        for (actor, code) in [
            (person("other", CREDIT, &[Role::Approver]), Code::NotFound),
            (person("other", POLICE, &[Role::Consumer]), Code::RoleRequired),
            (person("other", APPROVAL, &[Role::Approver]), Code::RoleRequired),
            (person("other", POLICE, &[]), Code::NotFound),
            (person("other", CREDIT, &[Role::Operator]), Code::RoleRequired),
        ] {
            assert_eq!(refusal(desk.review(id, &approve(), &actor, now).await).code, code, "{actor:?}");
        }
        desk.review(id, &reject(), &approver(), now).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn what_is_wrong_in_a_wish_or_a_review_is_named_with_its_remedy() {
    on_each(async |ledger| {
        let office = Office::new(ledger);
        let desk = office.desk();
        let now = at("2026-03-02");
        let id = applied(&office).await.id;
        let texts = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        for (wish, code, field) in [
            (Wish { dataset: "natural-persons".into(), ..hukou() }, Code::UnknownDataset, "/dataset"),
            (Wish { dataset: "Natural".into(), ..hukou() }, Code::InvalidValue, "/dataset"),
            (Wish { items: Vec::new(), ..hukou() }, Code::InvalidValue, "/items"),
            (Wish { items: texts(&["x"]), ..hukou() }, Code::InvalidValue, "/items/0"),
            (Wish { items: texts(&[HUKOU, HUKOU]), ..hukou() }, Code::InvalidValue, "/items/1"),
            (Wish { items: texts(&["11440100MB9YYY997R3440101001999"]), ..hukou() }, Code::UnknownItem, "/items"),
            (Wish { items: texts(&["11440100MB9Y01019T3440514001000"]), ..hukou() }, Code::InvalidValue, "/items"),
            (Wish { items: texts(&[FOOD]), ..hukou() }, Code::InvalidValue, "/items"),
            (Wish { compare: texts(&["birthday"]), ..hukou() }, Code::UnknownField, "/compare"),
            (Wish { compare: texts(&["phone"]), ..hukou() }, Code::InvalidValue, "/compare"),
            (Wish { disclose: texts(&["marital_status"]), ..hukou() }, Code::InvalidValue, "/disclose"),
            (Wish { compare: Vec::new(), disclose: Vec::new(), ..hukou() }, Code::InvalidValue, "/compare"),
            (Wish { legal_basis: " ".into(), ..hukou() }, Code::InvalidValue, "/legal_basis"),
            (Wish { scenario: "a\u{0}b".into(), ..hukou() }, Code::InvalidValue, "/scenario"),
            (Wish { scenario: "长".repeat(2001), ..hukou() }, Code::InvalidValue, "/scenario"),
            (Wish { mode: "fax".into(), ..hukou() }, Code::InvalidValue, "/mode"),
            (Wish { mode: "file_download".into(), ..hukou() }, Code::InvalidValue, "/mode"),
            (Wish { calls_per_second: 0, ..hukou() }, Code::InvalidValue, "/calls_per_second"),
            (Wish { calls_per_day: 0, ..hukou() }, Code::InvalidValue, "/calls_per_day"),
            (Wish { valid_from: "soon".into(), ..hukou() }, Code::InvalidValue, "/valid_from"),
            (Wish { valid_until: "2026-03-01".into(), ..hukou() }, Code::InvalidValue, "/valid_until"),
            (
                Wish { valid_from: "2025-01-01".into(), valid_until: "2026-03-01".into(), ..hukou() },
                Code::InvalidValue,
                "/valid_until",
            ),
        ] {
            let problem = refusal(desk.apply(&wish, &clerk(), now).await);
            assert_eq!(said(&problem), (code, field), "{problem}");
            assert!(problem.remedy.is_some(), "{problem}");
        }
        let less = |narrowing| Review { grant: Some(narrowing), ..approve() };
        for (review, field) in [
            (Review { verdict: "perhaps".into(), ..approve() }, "/verdict"),
            (Review { reason: String::new(), ..approve() }, "/reason"),
            (Review { law: Some("x".into()), ..approve() }, "/law"),
            (Review { ground: None, ..reject() }, "/ground"),
            (Review { ground: Some("dislike".into()), ..reject() }, "/ground"),
            (Review { law: None, ..reject() }, "/law"),
            (Review { grant: Some(Narrowing::default()), ..ask() }, "/grant"),
            (Review { consent: None, ..extend(3) }, "/consent"),
            (Review { working_days: None, ..extend(3) }, "/working_days"),
            (less(Narrowing { compare: Some(texts(&["status"])), ..Narrowing::default() }), "/grant/compare"),
            (less(Narrowing { items: Some(Vec::new()), ..Narrowing::default() }), "/grant/items"),
            (less(Narrowing { calls_per_day: Some(2001), ..Narrowing::default() }), "/grant/calls_per_day"),
            (less(Narrowing { valid_until: Some("2027-01-01".into()), ..Narrowing::default() }), "/grant/valid_until"),
            (less(Narrowing { valid_from: Some("2026-03-01".into()), ..Narrowing::default() }), "/grant/valid_from"),
        ] {
            let problem = refusal(desk.review(id, &review, &approver(), now).await);
            assert_eq!(said(&problem), (Code::InvalidValue, field), "{problem}");
            assert!(problem.remedy.is_some(), "{problem}");
        }
        assert_eq!(desk.dossier(id, &clerk()).await.unwrap().1.len(), 1, "a refusal leaves nothing");
    })
    .await;
}

#[tokio::test]
async fn of_two_reviewers_at_once_one_decides() {
    on_each(async |ledger| {
        let office = Office::new(ledger);
        for number in 1..=6_u32 {
            let id: ApplicationId = format!("app-{number}").parse().unwrap();
            assert_eq!(applied(&office).await.id, id);
            let (desk, now) = (office.desk(), at("2026-03-03"));
            let other = person("other", POLICE, &[Role::Approver]);
            let (yes, no) = (approve(), reject());
            let one = approver();
            let (granted, rejected) = tokio::join!(desk.review(id, &yes, &one, now), desk.review(id, &no, &other, now));
            assert!(granted.is_ok() != rejected.is_ok(), "{granted:?} {rejected:?}");
            for done in [granted, rejected] {
                if let Err(error) = done {
                    assert_eq!(error.code(), Code::Conflict);
                }
            }
            assert_eq!(desk.dossier(id, &clerk()).await.unwrap().1.len(), 2);
            // What was granted would be in the way of the next one.
            let _ = desk.stand(&id.agreement(), AgreementStep::Revoked, "让位", &one, now).await;
        }
    })
    .await;
}

#[tokio::test]
async fn two_agreements_never_decide_the_same_use() {
    on_each(async |ledger| {
        let mut office = Office::new(ledger);
        let declared = super::written("declared", "2026-06-01", "2026-06-30");
        office.agreements = load_from("a.yaml", &format!("agreements:\n{declared}"), &office.catalog).unwrap();
        let desk = office.desk();
        let id = applied(&office).await.id;
        let now = at("2026-03-03");
        let problem = refusal(desk.review(id, &approve(), &approver(), now).await);
        assert_eq!(problem.code, Code::Conflict);
        assert!(problem.detail.contains("`declared`"), "{problem}");
        let until = Narrowing { valid_until: Some("2026-05-31".into()), ..Narrowing::default() };
        desk.review(id, &Review { grant: Some(until), ..approve() }, &approver(), now).await.unwrap();

        // A file that gets in the way later is refused whole, by both names.
        let wider = super::written("declared", "2026-05-31", "2026-06-30");
        let wider = load_from("a.yaml", &format!("agreements:\n{wider}"), &office.catalog).unwrap();
        let error = wider.join(&office.ledger.agreed().await.unwrap()).unwrap_err();
        assert_eq!(error.code(), Code::CatalogInvalid);
        assert!(error.to_string().contains("`app-1`") && error.to_string().contains("`declared`"), "{error}");
        desk.stand(&id.agreement(), AgreementStep::Revoked, "让位", &approver(), now).await.unwrap();
        wider.join(&office.ledger.agreed().await.unwrap()).unwrap();
    })
    .await;
}

#[tokio::test]
async fn an_agreement_is_suspended_resumed_revoked_and_each_time_nodes_hear_of_it() {
    on_each(async |ledger| {
        let office = Office::new(ledger);
        let desk = office.desk();
        let id = applied(&office).await.id;
        let now = at("2026-03-03");
        desk.review(id, &approve(), &approver(), now).await.unwrap();
        let name = id.agreement();
        let mut stamp = office.ledger.stamp().await.unwrap();
        for (step, standing, in_force) in [
            (AgreementStep::Suspended, "suspended", false),
            (AgreementStep::Resumed, "in_force", true),
            (AgreementStep::Revoked, "revoked", false),
        ] {
            let view = desk.stand(&name, step, "数据源异常", &approver(), now).await.unwrap();
            assert_eq!(view.standing, standing);
            let moved = office.ledger.stamp().await.unwrap();
            assert_ne!(moved, stamp);
            stamp = moved;
            let joined = office.agreements.join(&office.ledger.agreed().await.unwrap()).unwrap();
            let day = "2026-03-03".parse().unwrap();
            let agreement = joined.iter().next().unwrap();
            assert_eq!(agreement.is_in_force_on(day), in_force, "{standing}");
            let (consumer, dataset) = (APPROVAL.parse().unwrap(), "natural-person".parse().unwrap());
            assert!(joined.find(&consumer, &dataset, &HUKOU.parse().unwrap(), day).is_some(), "a refusal can name it");
        }
        let over = refusal(desk.stand(&name, AgreementStep::Resumed, "x", &approver(), now).await);
        assert_eq!(over.code, Code::Conflict);
        let told: Vec<_> = office.ledger.agreement_events(&name).await.unwrap().iter().map(|one| one.step).collect();
        assert_eq!(told, [AgreementStep::Suspended, AgreementStep::Resumed, AgreementStep::Revoked]);
        for (actor, code) in [
            (person("s", POLICE, &[Role::Steward]), Code::RoleRequired),
            (clerk(), Code::RoleRequired),
            (person("x", LABOUR, &[Role::Approver]), Code::NotFound),
        ] {
            assert_eq!(refusal(desk.stand(&name, AgreementStep::Revoked, "x", &actor, now).await).code, code);
        }
    })
    .await;
}

#[tokio::test]
async fn an_agreement_is_continued_by_an_application_for_the_days_after_it() {
    on_each(async |ledger| {
        let mut office = Office::new(ledger);
        let declared = super::written("declared", "2026-01-01", "2026-04-30");
        office.agreements = load_from("a.yaml", &format!("agreements:\n{declared}"), &office.catalog).unwrap();
        let desk = office.desk();
        let (name, now) = ("declared".parse().unwrap(), at("2026-03-03"));
        let bare = Renewal { valid_until: "2027-04-30".to_owned(), ..Renewal::default() };
        let problem = refusal(desk.renew(&name, &bare, &clerk(), now).await);
        assert_eq!(said(&problem), (Code::InvalidValue, "/legal_basis"));
        let words = Renewal { legal_basis: Some("依据".into()), scenario: Some("场景".into()), ..bare.clone() };
        let made = desk.renew(&name, &words, &clerk(), now).await.unwrap();
        assert_eq!(made.asked.valid_from.to_string(), "2026-05-01");
        desk.review(made.id, &approve(), &approver(), now).await.unwrap();
        let views = desk.agreements(&clerk(), at("2026-05-02")).await.unwrap();
        let told: Vec<_> = views.iter().map(|view| (view.id.as_str(), view.standing.as_str())).collect();
        assert_eq!(told, [("declared", "renewed"), ("app-1", "in_force")]);
        assert_eq!(views[0].renewed_by.as_deref(), Some("app-1"));
        // Continued again, with the words of the application before; and by nobody else.
        let again = Renewal { valid_until: "2028-04-30".to_owned(), ..Renewal::default() };
        let made = desk.renew(&made.id.agreement(), &again, &clerk(), now + TimeDelta::days(1)).await.unwrap();
        assert_eq!((made.legal_basis.as_str(), made.asked.valid_from.to_string().as_str()), ("依据", "2027-05-01"));
        let provider = person("p", POLICE, &[Role::Consumer]);
        assert_eq!(refusal(desk.renew(&name, &again, &provider, now).await).code, Code::RoleRequired);
    })
    .await;
}

#[tokio::test]
async fn everybody_sees_what_concerns_them() {
    on_each(async |ledger| {
        let office = Office::new(ledger);
        let desk = office.desk();
        for _ in 0..3 {
            applied(&office).await;
        }
        let now = at("2026-03-03");
        let listing = Listing { limit: 2, ..Listing::default() };
        let ids = |found: Vec<Application>| found.iter().map(|one| one.id.to_string()).collect::<Vec<_>>();
        for actor in [clerk(), approver(), person("a", CREDIT, &[Role::Auditor])] {
            assert_eq!(ids(desk.list(&listing, &actor, now).await.unwrap()), ["app-1", "app-2"]);
            let rest = Listing { after: Some("app-2".parse().unwrap()), ..listing.clone() };
            assert_eq!(ids(desk.list(&rest, &actor, now).await.unwrap()), ["app-3"]);
            let none = Listing { state: Some(State::Rejected), ..listing.clone() };
            assert!(desk.list(&none, &actor, now).await.unwrap().is_empty());
        }
        let other = person("l", LABOUR, &[Role::Consumer]);
        assert!(desk.list(&listing, &other, now).await.unwrap().is_empty());
        assert_eq!(refusal(desk.dossier("app-1".parse().unwrap(), &other).await).code, Code::NotFound);
        assert_eq!(refusal(desk.dossier("app-9".parse().unwrap(), &clerk()).await).code, Code::NotFound);
        let nobody = person("n", APPROVAL, &[]);
        assert_eq!(refusal(desk.list(&listing, &nobody, now).await).code, Code::RoleRequired);
    })
    .await;
}

/// One law, two readers: terms that a file may declare may be applied for, and the other way round.
#[test]
fn a_file_and_an_application_are_held_to_the_same_law() {
    let catalog = super::guangdong();
    let fields = ["resident_id", "name", "birth_date", "marital_status", "phone", "status", "address"];
    let items = [HUKOU, FOOD, "11440100MB9Y01019T3440514001000", "11440100MB9Y01027M3440517001000"];
    let mut seen = BTreeSet::new();
    for consumer in [APPROVAL, LABOUR, "gz-housing"] {
        for dataset in ["natural-person", "social-credit"] {
            for item in items {
                for field in fields {
                    for (compare, disclose) in [(field, ""), ("", field)] {
                        let text = format!(
                            "agreements:\n  - id: one\n    consumer: {consumer}\n    dataset: {dataset}\n    items: [{item}]\n    \
                             compare: [{compare}]\n    disclose: [{disclose}]\n    valid_from: 2026-03-02\n    \
                             valid_until: 2026-12-31\n    calls_per_second: 5\n    calls_per_day: 100\n"
                        );
                        let list = |name: &str| if name.is_empty() { Vec::new() } else { vec![name.to_owned()] };
                        let wish = Wish {
                            compare: list(compare),
                            disclose: list(disclose),
                            ..super::office::wish(dataset, &[item], &[], &[])
                        };
                        let declared = load_from("a.yaml", &text, &catalog).is_ok();
                        let today = "2026-03-02".parse().unwrap();
                        let applied = wish.parse(&consumer.parse().unwrap(), &catalog, today).is_ok();
                        assert_eq!(declared, applied, "{text}");
                        seen.insert(declared);
                    }
                }
            }
        }
    }
    assert_eq!(seen.len(), 2, "both kinds were seen");
}
