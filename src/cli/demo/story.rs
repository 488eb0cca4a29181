//! The story of an agreement: applied for, granted in part, used, overstepped, and revoked under load.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Context;
use arrow::array::RecordBatch;
use serde_json::{Value, json};

use super::{
    cast::{APPROVER, CLERK, HOUSING},
    steps::Steps,
    tour::text,
};
use crate::{cli::call::Caller, config::Settings, http::Node};

/// Pre-sale of commercial housing; its agreement over the register of enterprises ended in 2025.
const ITEM: &str = "11440100MB9Y01027M3440117002000";
const DATASET: &str = "legal-entity";
/// Callers at once while the agreement is revoked.
const CALLERS: usize = 8;
/// How soon a revocation must have reached every call.
const REACHES: Duration = Duration::from_secs(1);
/// A caller that is refused waits before it calls again.
const AFTER_A_REFUSAL: Duration = Duration::from_millis(50);
/// How long a change may take to be seen before the story gives up.
const PATIENCE: Duration = Duration::from_secs(10);

struct Firm {
    credit_code: String,
    name: String,
    representative: String,
}

/// Somebody with a token.
struct Person {
    caller: Caller,
    token: String,
}

impl Person {
    async fn of(settings: &Settings, id: &str) -> anyhow::Result<Self> {
        let caller = Caller::new(settings, &id.parse()?)?;
        let token = caller.token().await?;
        Ok(Self { caller, token })
    }

    async fn post(&self, path: &str, body: &Value) -> anyhow::Result<(u16, Value)> {
        self.caller.post(path, Some(&self.token), body).await
    }

    /// The status, and the outcome or the code of the refusal.
    async fn verify(&self, firm: &Firm, claims: Value) -> anyhow::Result<(u16, Value)> {
        let subject = json!({ "credit_code": firm.credit_code });
        let body = json!({ "dataset": DATASET, "item": ITEM, "case": "DEMO-3", "subject": subject, "claims": claims });
        self.post("/v1/verifications", &body).await
    }
}

/// Tell the story, step by step.
pub(super) async fn tell(node: &Node, settings: &Settings, steps: &mut Steps) -> anyhow::Result<()> {
    let firm = some_firm(node).await?;
    let clerk = Person::of(settings, CLERK).await?;
    let approver = Person::of(settings, APPROVER).await?;
    let system = Arc::new(Person::of(settings, HOUSING).await?);

    let (status, refused) = system.verify(&firm, json!({ "name": firm.name })).await?;
    steps.check("before there is an agreement: refused", status == 403, &by(status, &refused));
    let application = apply(&clerk, steps).await?;
    grant_in_part(&approver, &application, steps).await?;
    let granted = until(&system, &firm, |status| status == 200).await?;
    let inside = granted["outcome"] == "match";
    steps.check("a call inside the agreement", inside, granted["outcome"].as_str().unwrap_or("no outcome"));
    let (status, outside) = system.verify(&firm, json!({ "legal_representative": firm.representative })).await?;
    let named = outside["policies"].to_string().contains("fields-agreed-for-comparison");
    steps.check(
        "a call for the field that was not granted: refused by name",
        status == 403 && named,
        &by(status, &outside),
    );
    revoke_under_load(&approver, &application, system, firm, steps).await
}

async fn apply(clerk: &Person, steps: &mut Steps) -> anyhow::Result<String> {
    let today = chrono::Utc::now().date_naive();
    let wish = json!({
        "dataset": DATASET, "items": [ITEM], "compare": ["credit_code", "name", "status", "legal_representative"],
        "legal_basis": "城市商品房预售管理办法 第七条", "scenario": "预售许可申请时核对开发企业", "mode": "service_interface",
        "calls_per_second": 20000, "calls_per_day": 10_000_000, "valid_from": today - chrono::Days::new(1),
        "valid_until": today + chrono::Days::new(365),
    });
    let (status, made) = clerk.post("/v1/applications", &wish).await?;
    let id = made["id"].as_str().unwrap_or_default().to_owned();
    let due = made["due"].as_str().map_or_else(String::new, |due| format!(", to be answered by {due}"));
    steps.check("the housing department applies for four fields", status == 201, &format!("{id}{due}"));
    anyhow::ensure!(status == 201, "{made}");
    Ok(id)
}

async fn grant_in_part(approver: &Person, application: &str, steps: &mut Steps) -> anyhow::Result<()> {
    let review = json!({
        "verdict": "approve", "reason": "法定代表人与预售许可无关，不予共享",
        "grant": { "compare": ["credit_code", "name", "status"] },
    });
    let (status, granted) = approver.post(&format!("/v1/applications/{application}/review"), &review).await?;
    let state = granted["state"].as_str().unwrap_or("refused");
    steps.check("the register's approver grants three of them", status == 200 && state == "granted_in_part", state);
    Ok(())
}

/// Calls without a pause, from several sides; the agreement is revoked in the midst of them.
async fn revoke_under_load(
    approver: &Person,
    agreement: &str,
    system: Arc<Person>,
    firm: Firm,
    steps: &mut Steps,
) -> anyhow::Result<()> {
    let (began, stop, firm) = (Instant::now(), Arc::new(AtomicBool::new(false)), Arc::new(firm));
    let (answered, last) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let (system, firm, stop) = (Arc::clone(&system), Arc::clone(&firm), Arc::clone(&stop));
            let (answered, last) = (Arc::clone(&answered), Arc::clone(&last));
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let sent = began.elapsed();
                    let (status, _) = system.verify(&firm, json!({ "name": firm.name })).await?;
                    if status == 200 {
                        answered.fetch_add(1, Ordering::Relaxed);
                        last.fetch_max(u64::try_from(sent.as_millis()).unwrap_or(0), Ordering::Relaxed);
                    } else {
                        tokio::time::sleep(AFTER_A_REFUSAL).await; // Refusals come so fast that they would exhaust the rate.
                    }
                }
                anyhow::Ok(())
            })
        })
        .collect();
    tokio::time::sleep(REACHES).await;
    let (status, revoked) =
        approver.post(&format!("/v1/agreements/{agreement}/revoke"), &json!({ "reason": "演示：中途撤销" })).await?;
    let at = u64::try_from(began.elapsed().as_millis()).unwrap_or(0);
    tokio::time::sleep(2 * REACHES).await;
    stop.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.await??;
    }
    let after = last.load(Ordering::Relaxed).saturating_sub(at);
    let in_time = status == 200 && answered.load(Ordering::Relaxed) > 0 && u128::from(after) <= REACHES.as_millis();
    let standing = revoked["standing"].as_str().unwrap_or("not revoked");
    let came =
        format!("{standing}; {} calls answered, the last one begun {after} ms after", answered.load(Ordering::Relaxed));
    steps.check("revoked in the midst of calls: within a second no more answers", in_time, &came);
    let (status, refused) = system.verify(&firm, json!({ "name": firm.name })).await?;
    steps.check("and the next call is refused", status == 403, &by(status, &refused));
    Ok(())
}

async fn until(system: &Person, firm: &Firm, wanted: impl Fn(u16) -> bool) -> anyhow::Result<Value> {
    let began = Instant::now();
    loop {
        let (status, answer) = system.verify(firm, json!({ "name": firm.name })).await?;
        if wanted(status) {
            return Ok(answer);
        }
        anyhow::ensure!(began.elapsed() < PATIENCE, "what was granted does not reach calls: {answer}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn by(status: u16, answer: &Value) -> String {
    format!("{status} by {}", answer["policies"])
}

async fn some_firm(node: &Node) -> anyhow::Result<Firm> {
    let statement = r#"select credit_code, name, legal_representative from "legal-entity"
                       where status = '1' order by credit_code limit 1"#;
    let batches = node.engine.sql(statement).await?;
    let batch: &RecordBatch =
        batches.iter().find(|batch| batch.num_rows() > 0).context("no enterprise is registered")?;
    Ok(Firm { credit_code: text(batch, 0)?, name: text(batch, 1)?, representative: text(batch, 2)? })
}
