//! DuckDB on the same Parquet files, driven through its Python package in a process of its own.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use crate::world::{World, root};

pub(crate) struct DuckDb {
    child: Child,
    asked: ChildStdin,
    told: BufReader<ChildStdout>,
}

impl DuckDb {
    /// DuckDB over the world's register, or why there is none.
    pub(crate) fn over(world: &World, keys: &[String]) -> Result<Self, String> {
        let python = python(world)?;
        let file = world.kept("keys.txt");
        fs::write(&file, keys.join("\n")).unwrap();
        let mut command = Command::new(python);
        command
            .arg(root().join("benches/duckdb_select.py"))
            .arg(world.tables.join("natural-person/*.parquet"))
            .arg(file);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(|error| error.to_string())?;
        let (asked, told) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Ok(Self { child, asked, told })
    }

    /// Selects a second of so many callers.
    pub(crate) fn turn(&mut self, callers: usize, turn_ms: u64) -> f64 {
        writeln!(self.asked, "{callers} {turn_ms}").unwrap();
        let mut line = String::new();
        self.told.read_line(&mut line).unwrap();
        line.trim().parse().expect("duckdb_select.py answers each line by a number")
    }
}

impl Drop for DuckDb {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A Python that has DuckDB: made beside the registers where there is none.
pub(crate) fn python(world: &World) -> Result<PathBuf, String> {
    let folder = world.kept("duckdb");
    let python = folder.join("bin/python");
    let has_it =
        || Command::new(&python).args(["-c", "import duckdb"]).output().is_ok_and(|said| said.status.success());
    if has_it() {
        return Ok(python);
    }
    println!("installing DuckDB (pip install duckdb)");
    let _ = Command::new("python3").args(["-m", "venv"]).arg(&folder).output();
    let pip = Command::new(folder.join("bin/pip")).args(["install", "--quiet", "duckdb"]).output();
    match has_it() {
        true => Ok(python),
        false => Err(match pip {
            Ok(said) => format!("`pip install duckdb` failed: {}", String::from_utf8_lossy(&said.stderr).trim()),
            Err(_) => "there is no python3 with venv and pip".to_owned(),
        }),
    }
}
