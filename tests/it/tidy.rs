//! Tidiness that the compiler does not check: floors, heads, leftovers, and pages that must agree with the code.
//!
//! Plain text is read, nothing is parsed: a checker here is a few lines that anybody can change. Each finding names the
//! file, the line and the remedy. Pages that are generated are written anew by `REGENERATE=1 cargo t --test it tidy`.

mod codes;
mod floors;
mod metrics;
mod pages;
mod words;

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

/// A text file of the project.
struct Source {
    /// From the root of the project, with `/`.
    path: String,
    text: String,
}

/// Something untidy.
struct Finding {
    path: String,
    /// From 1; 0 where it is about the whole file.
    line: usize,
    what: String,
    remedy: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, what, remedy } = self;
        match line {
            0 => write!(f, "{path}: {what}. {remedy}"),
            line => write!(f, "{path}:{line}: {what}. {remedy}"),
        }
    }
}

impl Source {
    fn planted(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    fn finding(&self, line: usize, what: impl Into<String>, remedy: impl Into<String>) -> Finding {
        Finding { path: self.path.clone(), line, what: what.into(), remedy: remedy.into() }
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn file(path: &str) -> Source {
    let text = fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    Source::planted(path, &text)
}

/// Every text file under a folder, in the order of its path. What is not UTF-8 is no text.
fn files_under(folder: &str) -> Vec<Source> {
    let mut found = Vec::new();
    collect(&root().join(folder), &mut found);
    found.sort_by(|one, other| one.path.cmp(&other.path));
    assert!(!found.is_empty(), "nothing under `{folder}`");
    found
}

fn collect(folder: &Path, found: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if let Ok(text) = fs::read_to_string(&path) {
            let relative = path.strip_prefix(root()).unwrap().components();
            let names: Vec<_> = relative.map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
            found.push(Source { path: names.join("/"), text });
        }
    }
}

/// The Rust files of the library and the binary.
fn rust_sources() -> Vec<Source> {
    files_under("src").into_iter().filter(|source| source.path.ends_with(".rs")).collect()
}

/// The Rust files of the tests; those of this checker name what they look for, so they are left out.
fn test_sources() -> Vec<Source> {
    files_under("tests").into_iter().filter(|source| !source.path.starts_with("tests/it/tidy")).collect()
}

/// The code of a file with blanks in place of comments: same lines, same columns.
fn without_comments(text: &str) -> String {
    let lines = text.split('\n').map(|line| {
        let start = if line.trim_start().starts_with("//") { line.find("//") } else { line.find(" // ") };
        start.map_or(line, |at| &line[..at])
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn line_of(text: &str, offset: usize) -> usize {
    text[..offset].matches('\n').count() + 1
}

/// Fail with all findings, one a line.
fn report(findings: &[Finding]) {
    let lines: Vec<_> = findings.iter().map(ToString::to_string).collect();
    assert!(findings.is_empty(), "{} untidy:\n{}", findings.len(), lines.join("\n"));
}

#[test]
fn a_comment_is_no_code() {
    assert_eq!(without_comments("use a; // b\n// c\nlet url = \"http://d\";"), "use a;\n\nlet url = \"http://d\";");
}

#[test]
fn a_finding_names_file_line_and_remedy() {
    let source = Source::planted("src/a.rs", "");
    assert_eq!(source.finding(3, "wrong", "Mend it").to_string(), "src/a.rs:3: wrong. Mend it");
}
