//! The parts of a call that are computation: one decision, one signature.

use std::{hint::black_box, path::Path, time::Instant};

use chrono::Utc;
use shuqiao::{
    agreements::Agreements,
    identifiers::{ApplicationId, ClientId, FieldName},
    keys::{PublicKeys, SigningKey, jws},
    ledger::{Agreed, Agreement},
    policy::{Manner, Operation, PolicyFiles, PolicySet, Question},
};

use crate::{
    home::{CLIENT, ITEM},
    options::Scale,
    report::{Report, median},
    world::World,
};

pub(crate) fn run(world: &World, scale: Scale, report: &mut Report) {
    let client: ClientId = CLIENT.parse().unwrap();
    let item = &world.catalog.items[&ITEM.parse().unwrap()];
    let dataset = &world.catalog.datasets["natural-person"];
    let department = &world.catalog.departments[&item.department];
    let today = Utc::now().date_naive();
    let agreement = world.agreements.find(&department.id, &dataset.id, &item.code, today);
    let fields: Vec<FieldName> = vec!["name".parse().unwrap()];
    let question = Question {
        operation: Operation::Verify,
        client: &client,
        department,
        dataset,
        item,
        agreement: agreement.map(AsRef::as_ref),
        subject_field: &dataset.key,
        fields: &fields,
        case_present: true,
        today,
        hour: 10,
        suspicion: 0,
        origin: &department.node,
        manner: Manner::default(),
    };
    let deciding = micros(scale, || drop(black_box(world.policies.decide(&question))));
    report.note("parts: one policy decision", deciding, "us", None);

    let many = many_policies();
    for (count, name) in [
        (5_000, "parts: one policy decision, 200 policies, 5,000 agreements"),
        (50_000, "parts: one policy decision, 200 policies, 50,000 agreements"),
    ] {
        let agreements = many_agreements(world, count);
        let deciding = micros(scale, || {
            let found = agreements.find(&department.id, &dataset.id, &item.code, today);
            let question = Question { agreement: found.map(AsRef::as_ref), ..question };
            drop(black_box(many.decide(&question)));
        });
        report.note(name, deciding, "us", None);
    }

    let key = SigningKey::generate().unwrap();
    let payload = vec![b'x'; 900];
    let keys = PublicKeys::new([key.public()]);
    let signing = micros(scale, || drop(black_box(jws::sign(&key, "t", &payload))));
    report.note("parts: one receipt signed (Ed25519, 900 bytes)", signing, "us", None);
    let signed = jws::sign(&key, "t", &payload);
    let verifying = micros(scale, || drop(black_box(jws::verify(&signed, "t", &keys))));
    report.note("parts: one receipt verified", verifying, "us", None);
}

/// The policies of the repository among 200: the others are rules of other departments, as a province would add them.
fn many_policies() -> PolicySet {
    let mut files = PolicyFiles::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("policies")).unwrap();
    let own = files.set().unwrap().ids().count();
    let rule = |number: usize| {
        format!(
            "@id(\"office-{number}\") @why(\"closed at night\") forbid (principal in \
             Shuqiao::Department::\"office-{number}\", action, resource) when {{ context.hour < 6 }};\n"
        )
    };
    files.policies.push(("offices.cedar".to_owned(), (own..200).map(rule).collect()));
    files.set().unwrap()
}

/// The agreements of the repository among so many, of as many departments.
fn many_agreements(world: &World, count: u32) -> Agreements {
    let (items, datasets) = (world.catalog.items.values(), world.catalog.datasets.keys());
    let mut places = datasets.flat_map(|dataset| items.clone().map(move |item| (dataset, item))).cycle();
    let model = world.agreements.iter().next().unwrap();
    let granted = (1..=count).map(|number| {
        let (dataset, item) = places.next().unwrap();
        Agreement {
            id: ApplicationId::new(number.try_into().unwrap()).agreement(),
            consumer: format!("office-{number}").parse().unwrap(),
            dataset: dataset.clone(),
            items: [item.code.clone()].into(),
            ..Agreement::clone(model)
        }
    });
    world.agreements.join(&Agreed { granted: granted.collect(), ..Agreed::default() }).unwrap()
}

/// Median over the rounds of the mean time of one act.
fn micros(scale: Scale, mut act: impl FnMut()) -> f64 {
    const ACTS: u32 = 2_000;
    let round = |_| {
        let started = Instant::now();
        for _ in 0..ACTS {
            act();
        }
        started.elapsed().as_secs_f64() * 1e6 / f64::from(ACTS)
    };
    median((0..scale.rounds).map(round))
}
