//! `shuqiao id check KIND VALUE`: is this a right identifier, and what does it say?

use std::{
    io::{self, BufRead, ErrorKind, Write},
    process::ExitCode,
};

use chrono::NaiveDate;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Map, Value, json};

use crate::identifiers::{CreditCode, DivisionCode, IdentifierError, ItemCode, LicenceId, ResidentId, Sex};

#[derive(Debug, Args)]
pub(super) struct IdArgs {
    #[command(subcommand)]
    command: IdCommand,
}

#[derive(Debug, Subcommand)]
enum IdCommand {
    /// Check one identifier, or with `-` one a line from standard input (answered by one JSON line each).
    Check { kind: Kind, value: String },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    /// Resident ID number (GB 11643).
    Resident,
    /// Unified social credit code (GB 32100).
    Credit,
    /// Electronic licence identifier (GB/T 36904).
    Licence,
    /// Administrative division code (GB/T 2260).
    Division,
    /// Service item code (GB/T 39554.1).
    Item,
}

/// What an identifier says, in the order in which it is printed.
type Said = Vec<(&'static str, Value)>;

pub(super) fn run(
    args: IdArgs,
    today: NaiveDate,
    input: impl BufRead,
    mut output: impl Write,
) -> anyhow::Result<ExitCode> {
    let IdCommand::Check { kind, value } = args.command;
    let done = if value == "-" {
        check_lines(kind, today, input, &mut output).map(|()| ExitCode::SUCCESS)
    } else {
        check_one(kind, &value, today, &mut output)
    };
    match done.and_then(|code| output.flush().map(|()| code)) {
        // The reader has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        done => Ok(done?),
    }
}

fn check_one(kind: Kind, value: &str, today: NaiveDate, output: &mut impl Write) -> io::Result<ExitCode> {
    match said(kind, value, today) {
        Ok(parts) => {
            for (name, part) in parts {
                let text = part.as_str().map_or_else(|| part.to_string(), str::to_owned);
                writeln!(output, "{name:16} {text}")?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            writeln!(io::stderr(), "not a {}: {}", error.kind, error.reason)?;
            Ok(ExitCode::FAILURE)
        }
    }
}

/// One JSON line for each line read. Bytes that are no UTF-8 make an invalid value, not an end.
fn check_lines(kind: Kind, today: NaiveDate, mut input: impl BufRead, output: &mut impl Write) -> io::Result<()> {
    let mut line = Vec::new();
    while input.read_until(b'\n', &mut line)? > 0 {
        let text = String::from_utf8_lossy(&line);
        let value = text.trim_end_matches(['\n', '\r']);
        let mut answer = Map::new();
        answer.insert("value".to_owned(), json!(value));
        match said(kind, value, today) {
            Ok(parts) => {
                answer.insert("valid".to_owned(), json!(true));
                answer.extend(parts.into_iter().map(|(name, part)| (name.to_owned(), part)));
            }
            Err(error) => {
                answer.insert("valid".to_owned(), json!(false));
                answer.insert("reason".to_owned(), json!(error.reason));
            }
        }
        serde_json::to_writer(&mut *output, &answer)?;
        output.write_all(b"\n")?;
        line.clear();
    }
    Ok(())
}

fn said(kind: Kind, value: &str, today: NaiveDate) -> Result<Said, IdentifierError> {
    match kind {
        Kind::Resident => resident(value, today),
        Kind::Credit => value.parse().map(|code: CreditCode| {
            let mut said = vec![
                ("canonical", json!(code.as_str())),
                ("authority", json!(code.authority())),
                ("category", json!(code.category())),
                ("division", json!(code.division_digits())),
            ];
            said.extend(division_name(code.division_digits()));
            said.push(("organisation", json!(code.organisation_code())));
            said
        }),
        Kind::Licence => value.parse().map(|id: LicenceId| {
            vec![
                ("canonical", json!(id.as_str())),
                ("type", json!(id.type_code())),
                ("issuer", json!(id.issuer())),
                ("serial", json!(id.serial())),
                ("version", json!(id.version())),
            ]
        }),
        Kind::Division => value.parse().map(|code: DivisionCode| division(&code)),
        Kind::Item => value.parse().map(|code: ItemCode| item(&code)),
    }
}

fn resident(value: &str, today: NaiveDate) -> Result<Said, IdentifierError> {
    let id: ResidentId = value.parse()?;
    id.check_on(today)?;
    let mut said = vec![("canonical", json!(id.as_str())), ("division", json!(id.division_digits()))];
    said.extend(division_name(id.division_digits()));
    let sex = match id.sex() {
        Sex::Female => "female",
        Sex::Male => "male",
    };
    said.extend([
        ("birth_date", json!(id.birth_date())),
        ("sex", json!(sex)),
        ("document", json!(id.document().as_str())),
    ]);
    Ok(said)
}

fn division(code: &DivisionCode) -> Said {
    let mut said = vec![("canonical", json!(code.as_str())), ("level", json!(code.level().as_str()))];
    said.extend(code.name().map(|name| ("division_name", json!(name))));
    said.push(("abolished", json!(code.is_abolished())));
    said.extend(code.successor().map(|new| ("successor", json!(new))));
    said.extend(code.parent().map(|above| ("parent", json!(above))));
    said
}

fn item(code: &ItemCode) -> Said {
    let mut said = vec![("canonical", json!(code.as_str())), ("kind", json!(code.kind().as_str()))];
    said.extend(code.authority().map(|authority| ("authority", json!(authority))));
    said.extend(code.level().map(|level| ("level", json!(level))));
    said.push(("basic", json!(code.basic())));
    said
}

fn division_name(digits: &str) -> Option<(&'static str, Value)> {
    let name = digits.parse::<DivisionCode>().ok()?.name()?;
    Some(("division_name", json!(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(kind: Kind, input: &[u8]) -> Vec<Value> {
        let args = IdArgs { command: IdCommand::Check { kind, value: "-".to_owned() } };
        let mut output = Vec::new();
        run(args, "2026-11-24".parse().unwrap(), input, &mut output).unwrap();
        String::from_utf8(output).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn each_line_is_answered_by_a_line_whatever_it_holds() {
        let answers =
            lines(Kind::Resident, b"11010519491231002X\n\n\xff\xfe\r\n440100188912310014\n440106203001010010");
        let valid: Vec<_> = answers.iter().map(|answer| answer["valid"].as_bool().unwrap()).collect();
        assert_eq!(valid, [true, false, false, false, false]);
        assert_eq!(answers[0]["birth_date"], "1949-12-31");
        assert_eq!(answers[0]["sex"], "female");
        assert!(answers[3]["reason"].as_str().unwrap().contains("check character"));
    }

    #[test]
    fn a_birth_date_in_the_future_is_invalid() {
        let id = ResidentId::from_parts(440_106, "2026-11-25".parse().unwrap(), 1).unwrap();
        let answers = lines(Kind::Resident, id.as_str().as_bytes());
        assert_eq!(answers[0]["reason"], "the birth date lies in the future");
    }

    #[test]
    fn the_parts_of_every_kind_are_told() {
        let said = |kind, value: &str| lines(kind, value.as_bytes()).remove(0);
        assert_eq!(said(Kind::Division, "440524")["successor"], "440513");
        assert_eq!(said(Kind::Division, "440106")["division_name"], "天河区");
        assert_eq!(said(Kind::Credit, "91440300ma9tett93t")["canonical"], "91440300MA9TETT93T");
        assert_eq!(said(Kind::Item, "11440100MB9YYY997R3440101001000")["level"], 3);
        let licence = "1.2.156.3005.2.11440000000999993T001.11440100MB9YYY997R.2020000000000001.001.I";
        assert_eq!(said(Kind::Licence, licence)["version"], "001");
    }
}
