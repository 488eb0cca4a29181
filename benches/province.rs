//! A province and its cities, each a process of its own, all in one directory. Every city keeps the same people, so that
//! whoever is asked has the record, and no index rules a city out.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::{
    client::{Connection, Requests},
    cores,
    home::{Home, Kind, Receipts, free_address},
    load::runtime,
    program,
    roles::Server,
    world::{World, root},
};

/// The cities of Guangdong with their divisions (GB/T 2260), those of the catalogue first.
pub(crate) const CITIES: [(&str, &str); 21] = [
    ("guangzhou", "440100"),
    ("shenzhen", "440300"),
    ("foshan", "440600"),
    ("shaoguan", "440200"),
    ("zhuhai", "440400"),
    ("shantou", "440500"),
    ("jiangmen", "440700"),
    ("zhanjiang", "440800"),
    ("maoming", "440900"),
    ("zhaoqing", "441200"),
    ("huizhou", "441300"),
    ("meizhou", "441400"),
    ("shanwei", "441500"),
    ("heyuan", "441600"),
    ("yangjiang", "441700"),
    ("qingyuan", "441800"),
    ("dongguan", "441900"),
    ("zhongshan", "442000"),
    ("chaozhou", "445100"),
    ("jieyang", "445200"),
    ("yunfu", "445300"),
];
/// So many stand in the repository's catalogue.
const KNOWN: usize = 2;
/// Nodes hear of each other within two looks at the directory, a few seconds.
const SETTLED_MAX: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// A node with what it needs to be started again. The process ends before its folder goes.
pub(crate) struct Member {
    server: Option<Server>,
    home: Home,
    token: String,
}

impl Member {
    fn make(world: &World, id: &str, catalog: &Path, province: Option<&Path>) -> Self {
        let mut more = format!("[federation]\naddress = '{}'\n", free_address());
        if let Some(card) = province {
            more += &format!("province = '{}'\n", card.display());
        }
        let home = Home::of(world, Kind { id, catalog, receipts: Receipts::Batch, more: &more });
        let token = home.token();
        Self { server: None, home, token }
    }

    /// Its card, in a file.
    fn card(&self, folder: &Path, id: &str) -> PathBuf {
        let file = folder.join(format!("{id}.json"));
        fs::write(&file, program::run(&self.home.settings_file(), &["peer", "card"])).unwrap();
        file
    }

    pub(crate) fn start(&mut self) {
        self.server = Some(Server::node(&self.home));
    }

    /// At once: its connections break off, its ports refuse.
    pub(crate) fn kill(&mut self) {
        self.server = None;
    }

    /// It runs on these cores and on no other, until it is started again.
    pub(crate) fn pin(&self, to: &str) -> Result<(), String> {
        self.server.as_ref().map_or(Ok(()), |server| cores::pin(server.pid(), to))
    }

    pub(crate) fn address(&self) -> std::net::SocketAddr {
        self.home.address
    }

    /// Calls by its client to the node of an authority, or to whoever may know.
    pub(crate) fn requests(&self, world: &World, authority: Option<&str>) -> Arc<Requests> {
        Arc::new(Requests::to(world, &self.token, authority))
    }

    /// Wait until it answers such calls with the answers of so many other nodes.
    pub(crate) fn until_answered(&self, requests: &Requests, by: usize) {
        let started = Instant::now();
        let ask = async || -> std::io::Result<(u16, String)> {
            let mut connection = Connection::open(self.address()).await?;
            let answer = connection.call(requests, 0).await?;
            Ok((answer.status, connection.text()))
        };
        loop {
            let said = runtime().block_on(ask());
            let answered = said.as_ref().map_or(0, |(_, text)| text.matches("\"end\":\"answered\"").count());
            if answered == by && said.as_ref().is_ok_and(|(status, _)| *status == 200) {
                return;
            }
            assert!(started.elapsed() < SETTLED_MAX, "{by} nodes did not come to answer; last heard: {said:?}");
            thread::sleep(LOOK_AGAIN);
        }
    }
}

pub(crate) struct Province {
    pub(crate) province: Member,
    /// In the order of [`CITIES`].
    pub(crate) cities: Vec<Member>,
    _folder: TempDir,
}

impl Province {
    /// All are up and know each other; the department that calls is registered with the node `of`.
    pub(crate) fn found(world: &World, cities: usize, of: &str) -> Self {
        let cities = &CITIES[..cities];
        let folder = world.scratch("province");
        let catalog = folder.path().join("catalog");
        write_catalog(&catalog, cities, of);
        let mut province = Member::make(world, "guangdong", &catalog, None);
        let anchor = province.card(folder.path(), "guangdong");
        let join = |(id, _): &(&str, &str)| {
            let city = Member::make(world, id, &catalog, Some(&anchor));
            let card = city.card(folder.path(), id);
            let admit = ["peer", "admit", card.to_str().unwrap(), "--reason", "benchmark"];
            program::run(&province.home.settings_file(), &admit);
            city
        };
        let mut cities: Vec<_> = cities.iter().map(join).collect();
        province.start();
        cities.iter_mut().for_each(Member::start);
        let found = Self { province, cities, _folder: folder };
        found.settled(world, of);
        found
    }

    /// Who calls reaches every city.
    fn settled(&self, world: &World, of: &str) {
        let first = &self.cities[0];
        if of != CITIES[0].0 {
            return self.province.until_answered(&self.province.requests(world, None), self.cities.len());
        }
        for (_, division) in &CITIES[1..self.cities.len()] {
            first.until_answered(&first.requests(world, Some(division)), 1);
        }
    }
}

/// The repository's catalogue with these cities, each of which keeps a part of the persons.
fn write_catalog(folder: &Path, cities: &[(&str, &str)], of: &str) {
    fs::create_dir(folder).unwrap();
    for file in fs::read_dir(root().join("catalogs/guangdong")).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), folder.join(file.file_name())).unwrap();
    }
    let nodes = cities.iter().skip(KNOWN).map(|(id, division)| {
        format!(
            "  - id: {id}\n    name: {{ zh: {id}, en: {id} }}\n    division: \"{division}\"\n    parent: guangdong\n"
        )
    });
    change(&folder.join("nodes.yaml"), |text| text + &nodes.collect::<String>());
    let [own, other] = ["guangzhou", of].map(|node| format!("division: \"440100\"\n    node: {node}\n"));
    change(&folder.join("departments.yaml"), |text| text.replace(&own, &other));
    let parts: Vec<_> = cities.iter().map(|(id, _)| format!("{{ node: {id} }}")).collect();
    let key = "    key: resident_id\n";
    change(&folder.join("natural-person.yaml"), |text| {
        assert!(text.contains(key), "the persons' register is not where it was");
        text.replacen(key, &format!("{key}    placement: [{}]\n", parts.join(", ")), 1)
    });
}

fn change(file: &Path, how: impl FnOnce(String) -> String) {
    fs::write(file, how(fs::read_to_string(file).unwrap())).unwrap();
}
