//! A walk through the road: what a department would do, over HTTP, with every answer held against what it must be.

use anyhow::{Context, bail};
use arrow::array::{AsArray, RecordBatch};
use chrono::{NaiveDate, Utc};
use serde_json::{Value, json};

use super::steps::Steps;
use crate::{
    audit::receipt,
    cli::call::Caller,
    config::Settings,
    http::{Node, operator_token},
    identifiers::{ClientId, ItemCode, ResidentId},
    keys::PublicKeys,
};

/// Household registration: the item for whose sake the tour asks.
const ITEM: &str = "11440100MB9YYY997R3440101001000";

/// A person of the sample register, found by SQL on the node itself.
struct Person {
    resident_id: String,
    name: String,
    birth_date: NaiveDate,
}

/// Walk the tour.
pub(super) async fn walk(
    node: &Node,
    settings: &Settings,
    clients: &[ClientId],
    steps: &mut Steps,
) -> anyhow::Result<()> {
    let person = ordinary_person(node).await?;
    let absent = absent_person(node, &person).await?;
    let window = clients.first().context("no client was registered")?;
    let caller = Caller::new(settings, window)?;
    let token = caller.token().await?;
    let other_item = item_of_another(node)?;
    let mut tour = Tour { caller: &caller, token, steps };

    let right =
        tour.verify("the right name is a match", &person.resident_id, ITEM, json!({ "name": person.name })).await?;
    tour.expect(&right, "match");
    let spaced: String = person.name.chars().flat_map(|c| [c, ' ']).collect();
    let written = tour
        .verify("the same name, written with blanks, is a match", &person.resident_id, ITEM, json!({ "name": spaced }))
        .await?;
    tour.expect(&written, "match");
    let born = tour
        .verify(
            "a predicate: born on or before that day",
            &person.resident_id,
            ITEM,
            json!({ "birth_date": { "at_most": person.birth_date } }),
        )
        .await?;
    tour.expect(&born, "match");
    let other =
        tour.verify("another name is a mismatch", &person.resident_id, ITEM, json!({ "name": "欧阳不是" })).await?;
    tour.expect(&other, "mismatch");
    let nobody = tour.verify("an ID nobody has is not_found", &absent, ITEM, json!({ "name": person.name })).await?;
    tour.expect(&nobody, "not_found");
    let refused = tour
        .verify(
            "for an item of another department: refused",
            &person.resident_id,
            &other_item,
            json!({ "name": person.name }),
        )
        .await?;
    tour.expect_refusal(&refused, 403);
    tour.receipts(&right.1).await
}

struct Tour<'a> {
    caller: &'a Caller,
    token: String,
    steps: &'a mut Steps,
}

type Answered = (u16, Value, &'static str);

impl Tour<'_> {
    async fn verify(&self, step: &'static str, id: &str, item: &str, claims: Value) -> anyhow::Result<Answered> {
        let body = json!({
            "dataset": "natural-person", "item": item, "case": "DEMO-1",
            "subject": { "resident_id": id }, "claims": claims,
        });
        let (status, answer) = self.caller.post("/v1/verifications", Some(&self.token), &body).await?;
        Ok((status, answer, step))
    }

    fn expect(&mut self, (status, answer, step): &Answered, outcome: &str) {
        let came = answer["outcome"].as_str().unwrap_or("no outcome");
        self.steps.check(step, *status == 200 && came == outcome, &format!("{status} {came}"));
    }

    fn expect_refusal(&mut self, (status, answer, step): &Answered, wanted: u16) {
        let named = answer["policies"].as_array().is_some_and(|policies| !policies.is_empty());
        let policies = answer["policies"].to_string();
        self.steps.check(step, *status == wanted && named, &format!("{status} by {policies}"));
    }

    /// The receipt of the first answer: verified with nothing but the public keys, then with one letter changed.
    async fn receipts(&mut self, answer: &Value) -> anyhow::Result<()> {
        let keys = PublicKeys::from_json(&self.caller.jwks().await?)?;
        let text = answer["receipt"].as_str().unwrap_or_default();
        let verified = receipt::verify(text, &keys);
        let bound = verified
            .as_ref()
            .is_ok_and(|claims| receipt::answer_digest(answer).is_ok_and(|digest| digest == claims.answer_sha256));
        self.steps.check(
            "its receipt verifies offline and binds the answer",
            bound,
            if bound { "valid" } else { "invalid" },
        );
        let middle = text.len() / 2;
        let changed: String =
            text.chars().enumerate().map(|(at, c)| if at == middle { other_letter(c) } else { c }).collect();
        let rejected = receipt::verify(&changed, &keys).is_err();
        self.steps.check(
            "with one letter changed it is rejected",
            rejected,
            if rejected { "rejected" } else { "accepted" },
        );
        Ok(())
    }
}

fn other_letter(c: char) -> char {
    if c == 'A' { 'B' } else { 'A' }
}

/// Print three calls ready to paste.
pub(super) async fn print_curls(node: &Node, settings: &Settings, clients: &[ClientId]) -> anyhow::Result<()> {
    let person = ordinary_person(node).await?;
    let window = clients.first().context("no client was registered")?;
    let token = operator_token(settings, window, Utc::now()).await?;
    let base = &settings.node.url;
    let subject = json!({ "resident_id": person.resident_id });
    let call = |path: &str, rest: Value| {
        let mut body = json!({ "dataset": "natural-person", "item": ITEM, "case": "DEMO-2", "subject": subject });
        for (key, value) in rest.as_object().into_iter().flatten() {
            body[key] = value.clone();
        }
        println!(
            "\ncurl -s {base}{path} -H 'authorization: Bearer {token}' -H 'content-type: application/json' -d '{body}'"
        );
    };
    println!(
        "\nTry (the token lasts {} minutes; a new one: shuqiao token {window}):",
        settings.tokens.access_ttl.as_secs() / 60
    );
    call("/v1/verifications", json!({ "claims": { "name": person.name } }));
    call("/v1/verifications", json!({ "claims": { "birth_date": { "before": "2008-11-24" }, "name": person.name } }));
    call("/v1/disclosures", json!({ "fields": ["name", "birth_date", "division"] }));
    Ok(())
}

async fn ordinary_person(node: &Node) -> anyhow::Result<Person> {
    let statement = r#"select resident_id, name, cast(birth_date as varchar) from "natural-person"
                       where status = '0' and birth_date < date '2000-01-01' order by resident_id limit 1"#;
    let batches = node.engine.sql(statement).await?;
    let batch = batches.iter().find(|batch| batch.num_rows() > 0).context("the register is empty")?;
    Ok(Person { resident_id: text(batch, 0)?, name: text(batch, 1)?, birth_date: text(batch, 2)?.parse()? })
}

/// An ID that is right by its check digit and stands in no register.
async fn absent_person(node: &Node, like: &Person) -> anyhow::Result<String> {
    let known: ResidentId = like.resident_id.parse()?;
    let division: u32 = known.division_digits().parse()?;
    for serial in (1..1000).rev() {
        let id = ResidentId::from_parts(division, known.birth_date(), serial)?;
        let statement = format!(r#"select count(*) from "natural-person" where resident_id = '{}'"#, id.as_str());
        let batches = node.engine.sql(&statement).await?;
        let count = batches.first().map(|batch| batch.column(0).as_primitive::<arrow::datatypes::Int64Type>().value(0));
        if count == Some(0) {
            return Ok(id.as_str().to_owned());
        }
    }
    bail!("every number of that day and division is taken")
}

fn item_of_another(node: &Node) -> anyhow::Result<String> {
    let ours: ItemCode = ITEM.parse()?;
    let catalog = node.catalog();
    let department = &catalog.items.get(&ours).context("the demo's item is not in the catalogue")?.department;
    let other = catalog.items.values().find(|item| item.department != *department);
    Ok(other.context("the catalogue has no other item")?.code.to_string())
}

pub(super) fn text(batch: &RecordBatch, column: usize) -> anyhow::Result<String> {
    let cast = arrow::compute::cast(batch.column(column), &arrow::datatypes::DataType::Utf8)?;
    Ok(cast.as_string::<i32>().value(0).to_owned())
}
