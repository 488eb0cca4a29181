//! Nodes that hear each other, without a network between them: pages are carried by hand, lost, repeated and torn off.

use std::{collections::BTreeMap, fmt::Write as _};

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::{
    catalog::{Catalog, Entry, load_from},
    identifiers::NodeId,
    ledger::{Ledger, ON_SITE, Source},
};

const NODES: &str = "nodes:
  - { id: guangdong, name: { zh: 省, en: Province }, division: '440000' }
  - { id: shenzhen, name: { zh: 深, en: City }, division: '440300', parent: guangdong }
  - { id: guangzhou, name: { zh: 广, en: City }, division: '440100', parent: guangdong }
";

/// Datasets by number, each in some wording.
type Datasets = BTreeMap<u8, u8>;

fn catalog(node: &str, datasets: &Datasets) -> Catalog {
    let mut text = NODES.to_owned();
    let division = match node {
        "shenzhen" => "440300",
        "guangzhou" => "440100",
        _ => "440000",
    };
    if node == "nation" {
        return load_from([("n.yaml".to_owned(), "nodes: []\n".to_owned())]).unwrap(); // It knows nobody.
    }
    write!(
        text,
        "departments:\n  - {{ id: office, name: {{ zh: 局, en: Office }}, credit_code: 11440000000999993T, \
         division: '{division}', node: {node} }}\ndatasets:\n"
    )
    .unwrap();
    for (number, wording) in datasets {
        write!(
            text,
            "  - id: d{number}\n    code: 101001/{number}\n    name: {{ zh: 公园, en: Parks }}\n    \
             summary: {{ zh: 第{wording}版, en: Wording {wording} }}\n    provider: office\n    \
             sharing: {{ attribute: unconditional }}\n    update_cycle: daily\n    sensitivity: 1\n    key: id\n    \
             reject_share_max: 0.5\n    listing: {{ format: database, modes: [service_interface], opening: {{ attribute: open }}, \
             published_on: 2025-08-01, updated_on: 2025-08-01 }}\n    fields:\n      \
             - {{ name: id, title: {{ zh: 编号, en: Number }}, element: BH, kind: text, chars_max: 9, comparator: exact, \
             sensitivity: 1, disclosure: plain }}\n"
        )
        .unwrap();
    }
    if datasets.is_empty() {
        text.push_str("  []\n");
    }
    load_from([("c.yaml".to_owned(), text)]).unwrap_or_else(|error| panic!("{error}"))
}

/// A node, as far as its catalogue goes.
struct Place {
    node: NodeId,
    ledger: Ledger,
    dir: TempDir,
    datasets: Datasets,
    revision: i64,
}

impl Place {
    async fn new(node: &str, datasets: &[(u8, u8)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(&dir.path().join("ledger.sqlite")).await.unwrap();
        let datasets = datasets.iter().copied().collect();
        let place = Self { node: node.parse().unwrap(), ledger, dir, datasets, revision: 1 };
        place.hand_up().await;
        place
    }

    fn catalog(&self) -> Catalog {
        catalog(self.node.as_str(), &self.datasets)
    }

    async fn hand_up(&self) -> usize {
        hand_up(&self.ledger, &self.node, (self.revision, &self.catalog()), now()).await.unwrap()
    }

    async fn publish(&mut self, number: u8, wording: u8) {
        match wording {
            0 => self.datasets.remove(&number),
            _ => self.datasets.insert(number, wording),
        };
        self.revision += 1;
        self.hand_up().await;
    }

    /// The ledger is gone; the catalogue is read from its files again.
    async fn lose_ledger(&mut self) {
        self.ledger.close().await;
        self.dir = tempfile::tempdir().unwrap();
        self.ledger = Ledger::open(&self.dir.path().join("ledger.sqlite")).await.unwrap();
        self.revision = 1;
        self.hand_up().await;
    }

    async fn restart(&mut self) {
        self.ledger.close().await;
        self.ledger = Ledger::open(&self.dir.path().join("ledger.sqlite")).await.unwrap();
    }

    async fn ask(&self, below: &Self, limit: i64) -> (Option<Source>, Page) {
        let catalog = self.catalog();
        let hearing = Hearing { own: &self.node, sender: &below.node, catalog: &catalog };
        let (known, asked) = ask(&self.ledger, hearing).await.unwrap();
        let page = page(&below.ledger, &below.node, &Asked { limit: Some(limit), ..asked }).await.unwrap();
        (known, page)
    }

    async fn take(&self, below: &Self, (known, page): (Option<Source>, Page)) -> Result<Option<Heard>, CascadeError> {
        let catalog = self.catalog();
        let hearing = Hearing { own: &self.node, sender: &below.node, catalog: &catalog };
        // Through text, as it goes over a wire.
        let page = serde_json::from_str(&serde_json::to_string(&page).unwrap()).unwrap();
        hear(&self.ledger, hearing, known, page, now()).await
    }

    /// To the end of the feed.
    async fn hear_all(&self, below: &Self, limit: i64) -> Vec<String> {
        let mut refused = Vec::new();
        loop {
            let heard = self.take(below, self.ask(below, limit).await).await.unwrap().unwrap();
            refused.extend(heard.refused);
            if heard.whole {
                return refused;
            }
        }
    }

    /// `dataset@origin` with the text of each entry that is published here.
    async fn told(&self) -> BTreeMap<String, String> {
        let all = self.ledger.feed_after(0, i64::MAX).await.unwrap().into_iter();
        let live = all.filter_map(|one| Some((format!("{}@{}", one.entry.dataset, one.entry.origin), one.entry.text?)));
        live.collect()
    }

    /// The same of its own, by its catalogue.
    fn own(&self) -> BTreeMap<String, String> {
        let catalog = self.catalog();
        let one = |dataset| {
            let entry = Entry::of(&catalog, dataset).unwrap();
            (format!("{}@{}", entry.dataset.id, self.node), entry.to_json().to_string())
        };
        catalog.datasets.values().map(one).collect()
    }
}

fn now() -> DateTime<Utc> {
    Utc::now()
}

fn joined(places: &[&Place]) -> BTreeMap<String, String> {
    places.iter().flat_map(|place| place.own()).collect()
}

#[tokio::test]
async fn a_feed_is_heard_over_restarts_and_what_is_deleted_goes() {
    let mut city = Place::new("shenzhen", &[(1, 1), (2, 1), (3, 1), (4, 1), (5, 1)]).await;
    let mut province = Place::new("guangdong", &[(1, 9)]).await;
    let first = province.take(&city, province.ask(&city, 2).await).await.unwrap().unwrap();
    assert_eq!((first.changed, first.whole), (2, false));
    province.restart().await;
    assert!(province.hear_all(&city, 2).await.is_empty());
    assert_eq!(province.told().await, joined(&[&city, &province]));
    for (number, wording) in [(2, 0), (4, 7), (6, 1)] {
        city.publish(number, wording).await;
    }
    let (known, part) = province.ask(&city, 200).await;
    assert_eq!((part.changes.len(), lag(known.as_ref(), &city.ledger.feed().await.unwrap())), (3, 3));
    province.take(&city, (known, part)).await.unwrap();
    assert_eq!(province.told().await, joined(&[&city, &province]));
}

#[tokio::test]
async fn a_lost_ledger_is_noticed_and_what_went_meanwhile_goes() {
    let mut city = Place::new("shenzhen", &[(1, 1), (2, 1), (3, 1)]).await;
    let province = Place::new("guangdong", &[]).await;
    province.hear_all(&city, 200).await;
    city.datasets.remove(&2);
    city.lose_ledger().await;
    let (known, part) = province.ask(&city, 1).await;
    assert_eq!(part.from, 0);
    province.take(&city, (known, part)).await.unwrap();
    assert_eq!(province.told().await.len(), 3, "until the walk has ended");
    province.hear_all(&city, 1).await;
    assert_eq!(province.told().await, city.own());
    // The same feed put back from before: it ends before what was heard.
    let source = province.ledger.sources().await.unwrap().remove(0);
    let ahead = Asked { feed: Some(source.feed.clone()), after: Some(source.heard + 5), limit: None };
    assert_eq!(page(&city.ledger, &city.node, &ahead).await.unwrap().from, 0);
}

#[tokio::test]
async fn a_bad_entry_is_named_and_holds_up_no_other() {
    let city = Place::new("shenzhen", &[(1, 1), (2, 1), (3, 1), (4, 1), (5, 1), (6, 1)]).await;
    let province = Place::new("guangdong", &[(1, 1)]).await;
    province.hear_all(&city, 200).await;
    let (_, mut part) = Place::new("nation", &[]).await.ask(&city, 200).await;
    let known = province.ledger.sources().await.unwrap().pop();
    part.feed = "another".to_owned();
    let change = |part: &mut Page, index: usize, change: &dyn Fn(&mut Value)| change(&mut part.changes[index]);
    change(&mut part, 0, &|it| it["entry"]["datasets"][0]["sensitivity"] = json!(7));
    change(&mut part, 1, &|it| it["dataset"] = json!("A B"));
    change(&mut part, 2, &|it| {
        it["origin"] = json!("guangdong");
        it["path"] = json!(["guangdong", "shenzhen"]);
    });
    change(&mut part, 3, &|it| {
        it["origin"] = json!("guangzhou");
        it["path"] = json!(["guangzhou", "shenzhen"]);
    });
    change(&mut part, 4, &|it| it["entry"]["datasets"][0]["id"] = json!("d6"));
    let heard = province.take(&city, (known, part)).await.unwrap().unwrap();
    let expect = ["sensitivity", "A B", "passed this node", "not below", "not what it is told as"];
    assert_eq!(heard.refused.len(), expect.len(), "{:#?}", heard.refused);
    for (said, expect) in heard.refused.iter().zip(expect) {
        assert!(said.contains(expect), "{said}: {expect}");
    }
    // What is refused is not shown in its old form either; the sixth is good, the province's own is as it was.
    let told = province.told().await;
    assert_eq!(told.keys().collect::<Vec<_>>(), ["d1@guangdong", "d6@shenzhen"]);
}

#[tokio::test]
async fn a_page_that_is_not_in_order_changes_nothing() {
    let city = Place::new("shenzhen", &[(1, 1), (2, 1), (3, 1)]).await;
    let province = Place::new("guangdong", &[]).await;
    for change in [
        |page: &mut Page| page.changes.reverse(),
        |page: &mut Page| page.changes[1]["number"] = json!("2"),
        |page: &mut Page| page.next = Some(0),
        |page: &mut Page| page.newest = 1,
        |page: &mut Page| {
            page.changes.remove(0);
            page.from = 1;
        },
    ] {
        let (known, mut part) = province.ask(&city, 200).await;
        change(&mut part);
        let error = province.take(&city, (known, part)).await.unwrap_err();
        assert_eq!(error.code(), Code::PeerUnreachable);
        assert!(province.told().await.is_empty());
    }
}

#[tokio::test]
async fn who_is_revoked_is_not_shown_and_a_page_that_comes_then_is_not_taken() {
    let city = Place::new("shenzhen", &[(1, 1), (2, 1)]).await;
    let province = Place::new("guangdong", &[]).await;
    let admit = async || province.ledger.admit_member(&city.node, "{}", ON_SITE, "joins", now()).await.unwrap();
    admit().await;
    province.take(&city, province.ask(&city, 1).await).await.unwrap();
    let under_way = province.ask(&city, 1).await;
    let first = province.ask(&city, 1).await.1;
    province.ledger.revoke_member(&city.node, ON_SITE, "key in wrong hands", now()).await.unwrap();
    assert!(province.told().await.is_empty() && province.ledger.sources().await.unwrap().is_empty());
    assert_eq!(province.take(&city, under_way).await.unwrap(), None);
    assert_eq!(province.take(&city, (None, Page { from: 0, ..first })).await.unwrap(), None);
    admit().await;
    province.hear_all(&city, 1).await;
    assert_eq!(province.told().await, city.own());
}

#[tokio::test]
async fn the_same_name_of_two_nodes_is_two_entries_and_nobody_speaks_for_another() {
    let (one, other) = (Place::new("shenzhen", &[(1, 1)]).await, Place::new("guangzhou", &[(1, 2)]).await);
    let province = Place::new("guangdong", &[(1, 3)]).await;
    province.hear_all(&one, 200).await;
    province.hear_all(&other, 200).await;
    assert_eq!(province.told().await, joined(&[&one, &other, &province]));
    let catalog = std::sync::Arc::new(province.catalog());
    let all = Everywhere::follow(None, &province.ledger, &province.node, &catalog).await.unwrap();
    let found: Vec<_> = all.search("公园").iter().map(|(listed, _)| listed.name.to_string()).collect();
    assert_eq!(found, ["d1@guangdong", "d1@guangzhou", "d1@shenzhen"]);
    let freshness = Freshness::read(&province.ledger).await.unwrap();
    let listed = all.iter().find(|listed| listed.name.origin == one.node).unwrap();
    assert!(!freshness.is_stale(listed, TimeDelta::minutes(1), now()));
    assert!(freshness.is_stale(listed, TimeDelta::minutes(1), now() + TimeDelta::hours(1)));

    // The nation knows none of them: who has told of an origin first is believed.
    let nation = Place::new("nation", &[]).await;
    nation.hear_all(&province, 1).await;
    assert_eq!(nation.told().await, province.told().await);
    let impostor = Place::new("guangzhou", &[]).await;
    impostor.hear_all(&one, 200).await;
    let refused = nation.hear_all(&impostor, 200).await;
    assert!(refused.iter().any(|said| said.contains("another node has told of it")), "{refused:?}");
    assert_eq!(nation.told().await, province.told().await);
}

#[derive(Clone, Debug)]
enum Step {
    /// At the city or at the province; wording 0 deletes.
    Publish {
        at_city: bool,
        number: u8,
        wording: u8,
    },
    /// The next page of the lower by the upper; lost on the way, or brought twice.
    Carry {
        up: bool,
        limit: i64,
        lost: bool,
        twice: bool,
    },
    LoseLedger {
        of_city: bool,
    },
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (any::<bool>(), 1..5u8, 0..3u8)
            .prop_map(|(at_city, number, wording)| Step::Publish { at_city, number, wording }),
        6 => (any::<bool>(), 1..4i64, prop::bool::weighted(0.2), prop::bool::weighted(0.2))
            .prop_map(|(up, limit, lost, twice)| Step::Carry { up, limit, lost, twice }),
        1 => any::<bool>().prop_map(|of_city| Step::LoseLedger { of_city }),
        1 => Just(Step::Restart),
    ]
}

async fn walk(steps: &[Step], limit: i64) {
    let mut city = Place::new("shenzhen", &[(1, 1), (2, 1)]).await;
    let mut province = Place::new("guangdong", &[(1, 1)]).await;
    let mut nation = Place::new("nation", &[]).await;
    for step in steps {
        match *step {
            Step::Publish { at_city: true, number, wording } => city.publish(number, wording).await,
            Step::Publish { at_city: false, number, wording } => province.publish(number, wording).await,
            Step::Carry { up, limit, lost, twice } => {
                let (upper, lower) = if up { (&nation, &province) } else { (&province, &city) };
                let carried = upper.ask(lower, limit).await;
                if lost {
                    continue;
                }
                let again = twice.then(|| carried.clone());
                let heard = upper.take(lower, carried).await.unwrap().unwrap();
                assert!(heard.refused.is_empty(), "{heard:?}");
                if let Some(again) = again {
                    // Overtaken, or nothing new in it.
                    let heard = upper.take(lower, again).await.unwrap();
                    assert!(heard.is_none_or(|heard| heard.changed == 0));
                }
            }
            Step::LoseLedger { of_city: true } => city.lose_ledger().await,
            Step::LoseLedger { of_city: false } => province.lose_ledger().await,
            Step::Restart => {
                province.restart().await;
                nation.restart().await;
            }
        }
        let own: Vec<_> = province.told().await.into_iter().filter(|(name, _)| name.ends_with("@guangdong")).collect();
        assert_eq!(own, province.own().into_iter().collect::<Vec<_>>(), "its own are never touched");
    }
    province.hear_all(&city, limit).await;
    nation.hear_all(&province, limit).await;
    let all = joined(&[&city, &province]);
    assert_eq!(province.told().await, all);
    assert_eq!(nation.told().await, all);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn in_the_end_everybody_above_has_what_is_published(steps in prop::collection::vec(step(), 0..20), limit in 1..4i64) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(walk(&steps, limit));
    }
}
