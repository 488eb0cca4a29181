//! `kill -9` at random moments of publications, whole and of changes, beside a node that goes on answering.
//!
//! In the suite it is small. By hand, on an optimised program and as large as one likes:
//!
//! ```sh
//! KILLS=20 KILL_ROWS=10000000 KILL_SEED=1 \
//!     cargo test --release --test it killed_at_any_moment -- --nocapture
//! ```

use std::{
    collections::BTreeSet,
    fs,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde_json::Value;
use shuqiao::storage::delta;

use crate::support::{
    dice::Dice,
    process::{Home, PATIENCE, client, json, verify},
    registers::{HEADER, Person, line, person},
};

/// Every so many persons change with a file of changes, and only among the first birthdays: other files stay untouched.
const STEP: u64 = 7;

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{variable}: {text}")))
}

struct Register {
    home: Home,
    token: String,
    rows: u64,
}

/// A file to publish, and the name under which its people are known.
struct Input {
    file: PathBuf,
    sign: &'static str,
    changes: bool,
    takes: Duration,
}

fn is_changed(n: u64) -> bool {
    n % 20_000 < 5000 && n.is_multiple_of(STEP)
}

fn known_as(sign: &str, n: u64) -> Person {
    Person { name: format!("{sign}{n}"), ..person(n) }
}

impl Register {
    fn write(&self, sign: &'static str, changes: bool) -> Input {
        let file = self.home.path(&format!("{sign}.csv"));
        let mut text = BufWriter::new(fs::File::create(&file).unwrap());
        writeln!(text, "{}{HEADER}", if changes { "_change," } else { "" }).unwrap();
        let wanted = |n: &u64| !changes || is_changed(*n);
        for n in (0..self.rows).filter(wanted) {
            writeln!(text, "{}{}", if changes { "upsert," } else { "" }, line(&known_as(sign, n))).unwrap();
        }
        text.flush().unwrap();
        Input { file, sign, changes, takes: Duration::ZERO }
    }

    fn command(input: &Input) -> Vec<&str> {
        let mut command = vec!["publish", "natural-person", input.file.to_str().unwrap()];
        command.extend(input.changes.then_some("--changes"));
        command
    }

    /// Publish to the end; how long it took.
    fn publish(&self, input: &Input) -> Duration {
        let began = Instant::now();
        let said = self.home.run(&Self::command(input));
        assert_eq!(said.code, Some(0), "{said:?}");
        began.elapsed()
    }

    fn table(&self) -> PathBuf {
        self.home.path("data/tables/natural-person")
    }

    /// Has the node the new people? Every answer has to come from one whole version, and that is the newest.
    async fn has(&self, input: &Input) -> bool {
        let (http, url) = (client(), self.home.url("/v1/verifications"));
        let newest = delta::newest(&self.table()).await.unwrap().unwrap().0;
        let until = Instant::now() + PATIENCE;
        loop {
            let mut seen = BTreeSet::new();
            for n in [0, STEP, 700 * STEP, 6000, self.rows - 2] {
                let changed = !input.changes || is_changed(n);
                let name = known_as(input.sign, n).name;
                let (status, bytes) = verify(&http, &url, &self.token, &person(n), &name).await.unwrap();
                let answer = json(&bytes);
                let matches = answer["outcome"] == "match";
                assert!(status == 200 && (matches || answer["outcome"] == "mismatch"), "{answer}");
                if changed {
                    seen.insert((answer["dataset_version"].as_u64().unwrap(), matches));
                } else {
                    assert!(!matches, "{n}, whom nothing changed: {answer}");
                }
            }
            let versions: BTreeSet<_> = seen.iter().map(|(version, _)| version).collect();
            assert_eq!(versions.len(), seen.len(), "a version that is half of each: {seen:?}");
            // While it is asked, the node may go over from one version to the next.
            match (seen.len(), seen.first()) {
                (1, Some((version, new))) if *version == newest => return *new,
                _ => assert!(Instant::now() < until, "the newest version, {newest}, is not served: {seen:?}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Everything that the dead process left is found, and nothing else goes.
    async fn vacuum(&self) -> u64 {
        let said = self.home.run(&["vacuum", "natural-person", "--keep-versions", "1", "--older-than", "0m", "--json"]);
        assert_eq!(said.code, Some(0), "{said:?}");
        let found: Value = serde_json::from_str(&said.out).unwrap();
        let version = delta::read(&self.table()).await.unwrap().unwrap();
        let named: BTreeSet<_> = version.files.into_iter().map(|file| file.path).collect();
        let left = files_below(&self.table());
        let (log, data): (Vec<_>, Vec<_>) =
            left.into_iter().partition(|path| path.to_str().unwrap().contains("_delta_log"));
        let data: BTreeSet<_> = data.into_iter().filter(|path| !path.ends_with(".publish.lock")).collect();
        assert_eq!(data, named);
        for path in log {
            let name = path.file_name().unwrap().to_str().unwrap();
            let whole = name.ends_with(".json") || name.ends_with(".checkpoint.parquet") || name == "_last_checkpoint";
            assert!(whole, "{name} was left in the log");
        }
        assert_eq!(files_below(&self.home.path("data/spill")), Vec::<PathBuf>::new());
        found[0]["orphans"]["files"].as_u64().unwrap()
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.path().is_dir() { found.extend(files_below(&entry.path())) } else { found.push(entry.path()) }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn publications_killed_at_any_moment_leave_a_whole_version_and_no_orphan_that_is_not_found() {
    let (kills, rows, seed) = (number("KILLS", 4), number("KILL_ROWS", 20_000), number("KILL_SEED", 7));
    let home = Home::empty("");
    let one = Register { token: home.token().await, home, rows };
    let mut inputs = [one.write("甲", false), one.write("乙", false), one.write("丙", true)];
    for input in &mut inputs {
        input.takes = one.publish(input);
    }
    let _node = one.home.serve().await;
    one.publish(&inputs[0]);
    assert!(one.has(&inputs[0]).await);
    let (mut dice, mut met, mut orphans) = (Dice(seed), 0, 0);
    for kill in 0..kills {
        // Whole ones by turns, and changes on top of either.
        let input = &inputs[[1, 2, 0, 2][kill as usize % 4]];
        let publication = one.home.spawn(&Register::command(input));
        let after = input.takes.mul_f64(dice.share());
        tokio::time::sleep(after).await;
        publication.kill();
        let done = one.has(input).await;
        met += u64::from(!done);
        let found = one.vacuum().await;
        orphans += found;
        eprintln!("kill {kill}: `{}` after {after:?}: committed: {done}, {found} orphans", input.sign);
        assert_eq!(one.has(input).await, done);
        one.publish(input);
        assert!(one.has(input).await);
    }
    eprintln!("{kills} kills, seed {seed}, {rows} rows: {met} before the commit, {orphans} orphans found");
    assert!(!one.home.log_text().contains("cannot be served"), "{}", one.home.log_text());
}
