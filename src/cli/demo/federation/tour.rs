//! The walk through what the nodes do for each other, every answer held against what it must be.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use chrono::Utc;
use serde_json::{Value, json};

use super::{
    CITIES, PROVINCE, Places, Running,
    evidence::{Evidence, ends, entry_of, word},
    load::said,
    place::{BENEFITS, FORBID, HUKOU, Place, TALENT},
};
use crate::{
    audit::receipt,
    cli::{call::Caller, demo::steps::Steps},
    http::operator_token,
    keys::PublicKeys,
    sample::{Person, World},
};

/// Household registration, the unemployment benefit, the settlement of talents, the licence of a food shop.
pub(super) const HUKOU_ITEM: &str = "11440100MB9YYY997R3440101001000";
const BENEFITS_ITEM: &str = "11440100MB9Y01019T3440514001000";
const TALENT_ITEM: &str = "11440300MB9Y03022Y3442035001000";
const FOOD_ITEM: &str = "11440100MB9YYY997R3440101002000";
/// Nobody's register is that of this city.
const ELSEWHERE: &str = "441900";
/// How long the nodes may take to know each other.
const PATIENCE: Duration = Duration::from_secs(60);
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A department's system at its node.
pub(super) struct Window {
    pub(super) node: &'static str,
    caller: Caller,
    token: String,
}

impl Window {
    async fn open(places: &Places, node: &'static str, client: &str) -> anyhow::Result<Self> {
        let caller = Caller::new(&places[node].settings, &client.parse()?)?;
        let token = caller.token().await?;
        Ok(Self { node, caller, token })
    }

    pub(super) async fn post(&self, body: &Value) -> anyhow::Result<(u16, Value)> {
        self.caller.post("/v1/verifications", Some(&self.token), body).await
    }
}

/// The tour, with what has been learnt on it.
pub(super) struct Tour<'a> {
    pub(super) steps: &'a mut Steps,
    evidence: Evidence,
    pub(super) hukou: Arc<Window>,
    benefits: Window,
    talent: Window,
    /// Somebody of each city, and somebody who is in no register.
    pub(super) people: BTreeMap<&'static str, Person>,
    outsider: Person,
    firm: crate::sample::Firm,
}

impl<'a> Tour<'a> {
    /// Ask for everything that the tour needs beforehand: the nodes' keys above all, which are then asked for no more.
    pub(super) async fn begin(places: &Places, world: &World, steps: &'a mut Steps) -> anyhow::Result<Self> {
        let mut people = BTreeMap::new();
        for (city, area, _) in CITIES {
            people.insert(city, somebody(world, area)?);
        }
        let (outsider, firm) = (somebody(world, ELSEWHERE)?, world.firm(0));
        let mut keys = BTreeMap::new();
        for (node, place) in places {
            keys.insert((*node).to_owned(), jwks(place).await?);
        }
        let hukou = Arc::new(Window::open(places, "guangzhou", HUKOU).await?);
        let benefits = Window::open(places, "guangzhou", BENEFITS).await?;
        let talent = Window::open(places, "shenzhen", TALENT).await?;
        let tour = Self { steps, evidence: Evidence::new(keys), hukou, benefits, talent, people, outsider, firm };
        tour.settled().await?;
        Ok(tour)
    }

    /// Wait until the directory is everywhere, and the province has the index of each city.
    async fn settled(&self) -> anyhow::Result<()> {
        let began = Instant::now();
        let body = about(&self.outsider, HUKOU_ITEM, None);
        let wanted = format!("guangdong answered ({}), guangzhou own", "shenzhen ruled_out, zhaoqing ruled_out");
        loop {
            let (status, answer) = self.hukou.post(&body).await?;
            if ends(&answer) == wanted {
                println!("  the nodes know each other after {:.1} s\n", began.elapsed().as_secs_f64());
                return Ok(());
            }
            let seen = format!("{} by {}", said(status, &answer), ends(&answer));
            ensure!(began.elapsed() < PATIENCE, "the nodes do not get to know each other: {seen}");
            tokio::time::sleep(10 * LOOK_EVERY).await;
        }
    }

    pub(super) async fn walk(&mut self) -> anyhow::Result<()> {
        let (hukou, of) = (Arc::clone(&self.hukou), self.people.clone());
        let near = about(&of["guangzhou"], HUKOU_ITEM, Some(&of["guangzhou"].division));
        self.step("Guangzhou asks for a person of its own", &hukou, &near, "match", "").await?;
        let named = about(&of["shenzhen"], HUKOU_ITEM, Some(&of["shenzhen"].division));
        let step = "the authority is named, and is Shenzhen's: Shenzhen alone is asked";
        self.step(step, &hukou, &named, "match", "shenzhen answered").await?;
        let anywhere = about(&of["zhaoqing"], HUKOU_ITEM, None);
        let step = "no authority is named: the province's index leads to Zhaoqing";
        let wanted = "guangdong answered (shenzhen ruled_out, zhaoqing answered), guangzhou own";
        let answer = self.step(step, &hukou, &anywhere, "match", wanted).await?;
        explain(&answer);
        let nobody = about(&self.outsider, HUKOU_ITEM, None);
        let step = "a person whom no city has: not_found, because every part is accounted for";
        let wanted = "guangdong answered (shenzhen ruled_out, zhaoqing ruled_out), guangzhou own";
        self.step(step, &hukou, &nobody, "not_found", wanted).await?;
        let firm = json!({
            "dataset": "legal-entity", "item": FOOD_ITEM, "case": "DEMO-1",
            "subject": { "credit_code": self.firm.credit_code.as_str() }, "claims": { "name": self.firm.name },
        });
        let step = "an enterprise: that register is the province's";
        self.step(step, &hukou, &firm, "match", "guangdong answered").await?;
        self.other_way().await?;
        self.refused().await
    }

    async fn other_way(&mut self) -> anyhow::Result<()> {
        let body = about(&self.people["guangzhou"], TALENT_ITEM, None);
        let wanted = "guangdong answered (guangzhou answered, zhaoqing ruled_out), shenzhen own";
        let step = "the other way round: Shenzhen asks, and Guangzhou has the person";
        let (status, answer) = self.talent.post(&body).await?;
        self.examine("shenzhen", &body, status, &answer)?;
        self.told(step, (status, &answer), "match", wanted);
        Ok(())
    }

    /// Shenzhen decides otherwise than the province; Zhaoqing as the province does.
    async fn refused(&mut self) -> anyhow::Result<()> {
        println!();
        for (city, step, outcome, wanted) in [
            (
                "zhaoqing",
                "for unemployment benefits, a person of Zhaoqing: the province lets it through, Zhaoqing answers",
                "match",
                "guangdong answered (shenzhen ruled_out, zhaoqing answered), guangzhou own",
            ),
            (
                "shenzhen",
                "the same for a person of Shenzhen, which has a forbid of its own: it refuses",
                "indeterminate holder_refused ask_for_paper",
                "guangdong answered (shenzhen refused, zhaoqing ruled_out), guangzhou own",
            ),
        ] {
            let body = about(&self.people[city], BENEFITS_ITEM, None);
            let (status, answer) = self.benefits.post(&body).await?;
            self.examine("guangzhou", &body, status, &answer)?;
            self.told(step, (status, &answer), outcome, wanted);
            if city == "shenzhen" {
                let refusal = entry_of(&answer, "shenzhen").unwrap_or(&Value::Null);
                let named = refusal["policies"] == json!([FORBID]) && refusal["code"] == "denied";
                let came = format!("{} by {}", refusal["code"], refusal["policies"]);
                self.steps.check("and the answer names the refusal as Shenzhen gave it", named, &came);
            }
        }
        Ok(())
    }

    /// One call, what it must say, and by which nodes.
    pub(super) async fn step(
        &mut self,
        step: &str,
        window: &Window,
        body: &Value,
        outcome: &str,
        wanted: &str,
    ) -> anyhow::Result<Value> {
        let (status, answer) = window.post(body).await?;
        self.examine(window.node, body, status, &answer)?;
        self.told(step, (status, &answer), outcome, wanted);
        Ok(answer)
    }

    fn told(&mut self, step: &str, (status, answer): (u16, &Value), outcome: &str, wanted: &str) {
        let (said, ends) = (said(status, answer), ends(answer));
        let by = if ends.is_empty() { "by this node alone".to_owned() } else { format!("[{ends}]") };
        self.steps.check(step, said == outcome && ends == wanted, &format!("{said} {by}"));
    }

    /// Hold the receipts of an answer against it, for the last step.
    pub(super) fn examine(&mut self, node: &str, body: &Value, status: u16, answer: &Value) -> anyhow::Result<()> {
        if status == 200 {
            self.evidence.examine(node, &serde_json::to_vec(body)?, answer);
        }
        Ok(())
    }

    /// What all receipts have come to, and that a changed one is found out.
    pub(super) fn receipts(&mut self) {
        let Evidence { keys, verified, of, broken, sample } = &self.evidence;
        let nodes: Vec<_> = of.iter().map(String::as_str).collect();
        let whole = broken.is_empty() && of.len() == keys.len();
        let came = match broken.first() {
            None => format!("{verified} receipts of {}", nodes.join(", ")),
            Some(reason) => format!("{} do not: {reason}", broken.len()),
        };
        self.steps.check("each receipt verifies offline, with the keys of the node that gave it", whole, &came);
        let rejected = sample.as_ref().is_some_and(|(node, text)| {
            let middle = text.len() / 2;
            let other = |c: char| if c == 'A' { 'B' } else { 'A' };
            let changed: String =
                text.chars().enumerate().map(|(at, c)| if at == middle { other(c) } else { c }).collect();
            keys.get(node).is_some_and(|keys| receipt::verify(&changed, keys).is_err())
        });
        let came = if rejected { "rejected" } else { "accepted" };
        self.steps.check("with one letter changed it is rejected", rejected, came);
    }

    /// What to try while the nodes go on.
    pub(super) async fn print_commands(&self, places: &Places, running: &Running) -> anyhow::Result<()> {
        let dir = |node: &str| places[node].dir.display().to_string();
        let near = &places["guangzhou"];
        let token = operator_token(&near.settings, &HUKOU.parse()?, Utc::now()).await?;
        let minutes = near.settings.tokens.access_ttl.as_secs() / 60;
        println!("\nTry (the token lasts {minutes} minutes):");
        for authority in [None, Some(self.people["zhaoqing"].division.as_str())] {
            let body = about(&self.people["zhaoqing"], HUKOU_ITEM, authority);
            let url = &near.settings.node.url;
            println!(
                "\ncurl -s {url}/v1/verifications -H 'authorization: Bearer {token}' -H 'content-type: application/json' \
                 -d '{body}'"
            );
        }
        let zhaoqing = running.get("zhaoqing").context("Zhaoqing is away")?.pid();
        println!("\nkill -9 {zhaoqing}   # then the same again; Zhaoqing comes back with:");
        println!("shuqiao serve --dir {} &", dir("zhaoqing"));
        println!("shuqiao node status --dir {}", dir("guangzhou"));
        println!("shuqiao peer list --dir {}", dir(PROVINCE));
        println!("shuqiao suspend peer:guangzhou --reason \"an incident\" --dir {}", dir("zhaoqing"));
        println!("shuqiao audit verify --dir {}", dir("zhaoqing"));
        Ok(())
    }
}

/// A call about a person's name.
pub(super) fn about(person: &Person, item: &str, authority: Option<&str>) -> Value {
    let mut body = json!({
        "dataset": "natural-person", "item": item, "case": "DEMO-1",
        "subject": { "resident_id": person.resident_id.as_str() }, "claims": { "name": person.name },
    });
    if let Some(authority) = authority {
        body["authority"] = json!(authority);
    }
    body
}

/// Why nobody has to be asked: an index is wrong only when it says yes.
fn explain(answer: &Value) {
    let Some(entry) = entry_of(answer, "shenzhen") else { return };
    println!(
        "      ruled_out: version {} of Shenzhen's register, true at {}, has no such number. The province knows by the\n      \
         index that Shenzhen has made for it: of keyed hashes, never wrong when it says no, so Shenzhen is not asked.",
        entry["dataset_version"],
        word(&entry["as_of"])
    );
}

/// The first resident of an area whose record is an ordinary one.
fn somebody(world: &World, area: &str) -> anyhow::Result<Person> {
    let mut residents = world.residents(area.parse()?);
    residents.find(|person| person.status == "0").with_context(|| format!("nobody lives in {area}"))
}

async fn jwks(place: &Place) -> anyhow::Result<PublicKeys> {
    let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build()?;
    let url = format!("{}/.well-known/jwks.json", place.settings.node.url);
    Ok(PublicKeys::from_json(&http.get(url).send().await?.text().await?)?)
}
