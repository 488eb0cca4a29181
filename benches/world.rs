//! The register that is measured: made and published once, kept between runs.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    sync::Arc,
};

use aws_lc_rs::digest;
use chrono::{NaiveDate, Utc};
use shuqiao::{
    agreements::{self, Agreements},
    catalog::{self, Catalog},
    engine::Engine,
    policy::PolicySet,
    sample::{Person, Register, SampleRequest, World as Sample, write},
};
use tempfile::TempDir;

use crate::{options::Options, program};

const SEED: u64 = 1;
/// What decides how a published register looks: where one of these has changed, it is published anew.
const LAYOUT: &[&str] = &[
    "src/publish/write.rs",
    "src/engine/schema.rs",
    "src/storage/delta.rs",
    "src/sample/person.rs",
    "catalogs/guangdong/natural-person.yaml",
];

pub(crate) struct World {
    pub(crate) catalog: Catalog,
    pub(crate) agreements: Agreements,
    pub(crate) policies: PolicySet,
    pub(crate) persons: u64,
    /// The folder of the published tables.
    pub(crate) tables: PathBuf,
    /// The day on which the register was made.
    today: NaiveDate,
    sample: Sample,
    cache: PathBuf,
    /// Two runs at once would measure each other.
    _lock: File,
}

pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

impl World {
    pub(crate) fn prepare(options: &Options) -> Self {
        fs::create_dir_all(&options.cache).unwrap();
        let lock = File::create(options.cache.join("lock")).unwrap();
        lock.try_lock().expect("another benchmark is running on this cache; wait for it, or name another by --cache");
        Self::of(options.scale.persons, &options.cache, lock)
    }

    /// The same with another number of persons.
    pub(crate) fn resized(&self, persons: u64) -> Self {
        Self::of(persons, &self.cache, self._lock.try_clone().unwrap())
    }

    fn of(persons: u64, cache: &Path, lock: File) -> Self {
        let catalog = catalog::load(&root().join("catalogs/guangdong")).unwrap();
        let agreements = agreements::load(&root().join("catalogs/guangdong-agreements.yaml"), &catalog).unwrap();
        let policies = PolicySet::load(&root().join("policies")).unwrap();
        let folder = cache.join(format!("persons-{persons}-{}", layout()));
        let today = match fs::read_to_string(folder.join("day")) {
            Ok(day) => day.parse().unwrap(),
            Err(_) => make(persons, cache, &folder),
        };
        let sample = Sample::new(SEED, today, persons);
        let (tables, cache) = (folder.join("tables"), cache.to_owned());
        Self { catalog, agreements, policies, persons, tables, today, sample, cache, _lock: lock }
    }

    /// An engine that serves the register in this process.
    pub(crate) async fn engine(&self) -> Arc<Engine> {
        let engine = Engine::new(&self.catalog, self.tables.as_path(), 512 << 20, 100).unwrap();
        let (_, errors) = engine.refresh().await;
        assert!(errors.is_empty(), "{errors:?}");
        Arc::new(engine)
    }

    /// People spread evenly over the register, never a hot few.
    pub(crate) fn people(&self, count: u64) -> Vec<Person> {
        let step = 0x9e37_79b9_7f4a_7c15_u64;
        (0..count).map(|n| self.sample.person(n.wrapping_mul(step) % self.persons)).collect()
    }

    /// The register as CSV, for those who load it elsewhere.
    pub(crate) fn csv(&self, file: &Path) {
        write(&request(self.persons, self.today), file, &|_| {}).unwrap();
    }

    /// A folder for the length of a section, on the disk of the register.
    pub(crate) fn scratch(&self, section: &str) -> TempDir {
        tempfile::Builder::new().prefix(section).tempdir_in(&self.cache).unwrap()
    }

    /// Where something is kept between runs.
    pub(crate) fn kept(&self, name: &str) -> PathBuf {
        self.cache.join(name)
    }
}

fn layout() -> String {
    let mut all = digest::Context::new(&digest::SHA256);
    for file in LAYOUT {
        all.update(&fs::read(root().join(file)).unwrap());
    }
    hex::encode(&all.finish().as_ref()[..4])
}

fn request(persons: u64, as_of: NaiveDate) -> SampleRequest {
    SampleRequest { register: Register::NaturalPerson, rows: persons, seed: SEED, as_of, persons }
}

/// Make the register and publish it; the day is written last and says that it is whole.
fn make(persons: u64, cache: &Path, folder: &Path) -> NaiveDate {
    println!("making a register of {persons} persons in {}", folder.display());
    forget_others(persons, cache);
    let today = Utc::now().date_naive();
    fs::create_dir_all(folder).unwrap();
    let (file, settings) = (folder.join("persons.parquet"), folder.join("shuqiao.toml"));
    write(&request(persons, today), &file, &|_| {}).unwrap();
    let text = format!("[paths]\ndata = '{}'\ncatalog = '{}/catalogs/guangdong'\n", folder.display(), root().display());
    fs::write(&settings, text).unwrap();
    let said = program::run(&settings, &["publish", "natural-person", file.to_str().unwrap()]);
    assert!(said.contains(&format!(" {persons} rows ")), "{said}");
    fs::remove_file(file).unwrap();
    fs::write(folder.join("day"), today.to_string()).unwrap();
    today
}

/// Registers of this size that were published in another layout, and what a run left that was cut short.
fn forget_others(persons: u64, cache: &Path) {
    let prefix = format!("persons-{persons}-");
    for entry in fs::read_dir(cache).unwrap().flatten() {
        if entry.file_name().to_string_lossy().starts_with(&prefix) {
            fs::remove_dir_all(entry.path()).unwrap();
        }
    }
}
