//! The register that is measured: made and published once, kept between runs.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    sync::Arc,
};

use aws_lc_rs::digest;
use chrono::NaiveDate;
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
/// The day on which the register is as it is: always the same, so that its people are too.
const DAY: NaiveDate = NaiveDate::from_ymd_opt(2026, 11, 1).expect("the first of November is a day");
/// A file that is written last.
const WHOLE: &str = "whole";
/// What decides who is in it.
const PEOPLE: &[&str] = &["src/sample/person.rs", "src/sample/place.rs", "src/sample/names.rs", "src/sample/dice.rs"];
/// What decides how it is published: where one of these has changed, it is published anew.
const LAYOUT: &[&str] = &[
    "src/publish/write.rs",
    "src/engine/schema.rs",
    "src/storage/delta.rs",
    "src/sample/person.rs",
    "src/sample/place.rs",
    "src/sample/names.rs",
    "catalogs/guangdong/natural-person.yaml",
];

pub(crate) struct World {
    pub(crate) catalog: Catalog,
    pub(crate) agreements: Agreements,
    pub(crate) policies: PolicySet,
    pub(crate) persons: u64,
    /// The folder of the published tables.
    pub(crate) tables: PathBuf,
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
        let folder = cache.join(format!("persons-{persons}-{}", digest_of(LAYOUT)));
        if !folder.join(WHOLE).exists() {
            make(persons, cache, &folder);
        }
        let sample = Sample::new(SEED, DAY, persons);
        let (tables, cache) = (folder.join("tables"), cache.to_owned());
        Self { catalog, agreements, policies, persons, tables, sample, cache, _lock: lock }
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
        write(&request(self.persons), file, &|_| {}).unwrap();
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

/// Says who is in the register, so that a copy of it elsewhere can be told from an old one.
pub(crate) fn people_digest() -> String {
    digest_of(PEOPLE)
}

fn digest_of(files: &[&str]) -> String {
    let mut all = digest::Context::new(&digest::SHA256);
    for file in files {
        all.update(&fs::read(root().join(file)).unwrap());
    }
    hex::encode(&all.finish().as_ref()[..4])
}

fn request(persons: u64) -> SampleRequest {
    SampleRequest { register: Register::NaturalPerson, rows: persons, seed: SEED, as_of: DAY, persons }
}

/// Make the register and publish it.
fn make(persons: u64, cache: &Path, folder: &Path) {
    println!("making a register of {persons} persons in {}", folder.display());
    forget_others(persons, cache);
    fs::create_dir_all(folder).unwrap();
    let (file, settings) = (folder.join("persons.parquet"), folder.join("shuqiao.toml"));
    write(&request(persons), &file, &|_| {}).unwrap();
    let text = format!("[paths]\ndata = '{}'\ncatalog = '{}/catalogs/guangdong'\n", folder.display(), root().display());
    fs::write(&settings, text).unwrap();
    let said = program::run(&settings, &["publish", "natural-person", file.to_str().unwrap()]);
    assert!(said.contains(&format!(" {persons} rows ")), "{said}");
    fs::remove_file(file).unwrap();
    fs::write(folder.join(WHOLE), "").unwrap();
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
