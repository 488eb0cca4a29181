//! Sets of files that are refused, and how a set is named.

use std::{fs, path::Path};

use super::scene::{POLICIES, in_repository, policies, schema};
use crate::{
    policy::{PolicyError, PolicySet},
    problem::Code,
};

const SOUND: &str = "@id(\"a\")\n@why(\"x\")\npermit (principal, action, resource);\n";

fn from(files: &[(&str, &str)]) -> Result<PolicySet, PolicyError> {
    let owned = |(file, text): &(&str, &str)| ((*file).to_owned(), (*text).to_owned());
    PolicySet::from_sources(&schema(), &files.iter().map(owned).collect::<Vec<_>>())
}

fn complaints(result: Result<PolicySet, PolicyError>) -> Vec<String> {
    let Err(error) = result else { return Vec::new() };
    assert_eq!(error.code(), Code::PolicyInvalid);
    assert!(!error.to_string().contains('\n'), "{error}");
    error.complaints().iter().map(ToString::to_string).collect()
}

#[test]
fn what_is_wrong_in_a_file_is_refused_with_its_place_and_policy() {
    // (what stands after a sound policy of four lines, how the complaint begins, what else it says)
    let table = [
        ("permit (principal, action, resource)", "a.cedar:5:", "unexpected end of input"),
        (
            "permit (principal, action, resource) when { context.hours > 1 };",
            "a.cedar:5:1: ",
            "the policy has no id. Add",
        ),
        ("@id(\"Not Kebab\") @why(\"x\")\npermit (principal, action, resource);", "a.cedar:5:1: ", "not in kebab-case"),
        ("@id(\"b\")\npermit (principal, action, resource);", "a.cedar:5:1: b: ", "does not say why"),
        ("@id(\"b\") @why(\" \")\npermit (principal, action, resource);", "a.cedar:5:1: b: ", "does not say why"),
        (
            "\n\n  @id(\"a\") @why(\"x\")\nforbid (principal, action, resource);",
            "a.cedar:7:3: a: ",
            "stands at a.cedar:1 already",
        ),
        (
            "@id(\"b\") @why(\"x\")\npermit (principal, action, resource)\nwhen { context.hours > 1 };",
            "a.cedar:7:8: b: ",
            "attribute `hours`",
        ),
        (
            "@id(\"b\") @why(\"x\")\npermit (principal, action, resource)\nwhen { context.hour == \"1\" };",
            "a.cedar:7:8: b: ",
            "types Long and String are not compatible",
        ),
        (
            "@id(\"b\") @why(\"x\")\npermit (principal, action, resource)\nwhen { context.agreement.in_force };",
            "a.cedar:7:8: b: ",
            "optional attribute `agreement`",
        ),
        (
            "@id(\"b\") @why(\"x\")\nforbid (principal, action == Shuqiao::Action::\"a\", resource);",
            "a.cedar:6:30: b: ",
            "unrecognized action",
        ),
        (
            "@id(\"b\") @why(\"x\")\nforbid (principal, action, resource) when { context.hour > 1 && false };",
            "a.cedar:5:1: b: ",
            "false",
        ),
        (
            "@id(\"b\") @why(\"x\") @obligation_mask_sensitivity(\"5\")\npermit (principal, action, resource);",
            "a.cedar:5:1: b: ",
            "from 1 to 4, not `5`",
        ),
        (
            "@id(\"b\") @why(\"x\") @obligation_fold_not_found(\"yes\")\npermit (principal, action, resource);",
            "a.cedar:5:1: b: ",
            "not `yes`",
        ),
        (
            "@id(\"b\") @why(\"x\") @obligation_require_consent(\"yes\")\npermit (principal, action, resource);",
            "a.cedar:5:1: b: ",
            "not `yes`",
        ),
        (
            "@id(\"b\") @why(\"x\") @obligation_mask(\"3\")\npermit (principal, action, resource);",
            "a.cedar:5:1: b: ",
            "`@obligation_mask` is no obligation",
        ),
        (
            "@id(\"b\") @why(\"x\") @obligation_drop_sensitivity(\"3\")\nforbid (principal, action, resource);",
            "a.cedar:5:1: b: ",
            "forbids, so `@obligation_drop_sensitivity` has no effect",
        ),
        (
            "@id(\"b\") @why(\"x\") @qualifies(\"true\")\npermit (principal, action, resource);",
            "a.cedar:5:1: b: ",
            "obliges to nothing",
        ),
        (
            "@id(\"b\") @why(\"x\") @qualifies(\"no\")\npermit (principal, action, resource);",
            "a.cedar:5:1: b: ",
            "`true` or left out",
        ),
        ("@id(\"b\") @why(\"x\")\npermit (principal == ?principal, action, resource);", "a.cedar:5:1: ", "templates"),
    ];
    for (text, start, says) in table {
        let found = complaints(from(&[("a.cedar", &format!("{SOUND}\n{text}"))]));
        let [only] = found.as_slice() else { panic!("{text}: {found:#?}") };
        assert!(only.starts_with(start) && only.contains(says), "{text}: {only}");
    }
}

#[test]
fn a_complaint_names_the_file_that_the_policy_stands_in() {
    // The other file says the same words, and is sound.
    let other = format!("// \"verify\"\n{SOUND}");
    let wrong = "@id(\"verify\")\n@why(\"x\")\npermit (principal, action, resource) when { context.hours > 1 };";
    let found = complaints(from(&[("a.cedar", &other), ("b.cedar", wrong)]));
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].starts_with("b.cedar:3:45: verify: "), "{found:#?}");
}

#[test]
fn every_complaint_is_collected_in_the_order_of_the_files() {
    let found = complaints(from(&[
        ("c.cedar", "permit"),
        ("b.cedar", &format!("{SOUND}permit (principal, action, resource);")),
        ("a.cedar", SOUND),
    ]));
    let starts =
        ["b.cedar:1:1: a: the id stands at a.cedar:1 already", "b.cedar:4:1: the policy has no id", "c.cedar:1:"];
    assert_eq!(found.len(), starts.len(), "{found:#?}");
    for (complaint, start) in found.iter().zip(starts) {
        assert!(complaint.starts_with(start), "{complaint}");
    }
    let error = from(&[("b.cedar", &format!("permit (principal, action, resource);{SOUND}{SOUND}"))]).unwrap_err();
    assert!(error.to_string().starts_with("the policies do not hold together: b.cedar:1:1: "), "{error}");
    assert!(error.to_string().ends_with("(1 more)"), "{error}");
}

#[test]
fn a_set_without_a_policy_is_refused() {
    for files in [&[][..], &[("a.cedar", "// nothing\n")]] {
        let found = complaints(from(files));
        assert_eq!(found, ["shuqiao.cedarschema:1:1: there is no policy. Put *.cedar files beside the schema"]);
    }
}

#[test]
fn a_schema_that_is_not_what_the_node_says_is_refused() {
    let sources = [("a.cedar".to_owned(), SOUND.to_owned())];
    let table = [
        ("  action verify", "  acton verify", "unexpected token `acton`"),
        ("    hour: Long,", "    hour: Long, minute: Long,", "not what the node says"),
        ("    hour: Long,", "    hour: String,", "not what the node says"),
        ("    agreement?:", "    agreement:", "not what the node says"),
        ("    sharing: String,", "", "not what the node says"),
        ("    never: Set<String>,", "    never: Set<Long>,", "not what the node says"),
        ("  entity Client in [Department]", "  entity Client", "not what the node says"),
    ];
    for (old, new, says) in table {
        let changed = schema().replace(old, new);
        assert_ne!(changed, schema(), "the schema has no `{old}`");
        let found = complaints(PolicySet::from_sources(&changed, &sources));
        let [only] = found.as_slice() else { panic!("{new}: {found:#?}") };
        assert!(only.starts_with("shuqiao.cedarschema:") && only.contains(says), "{new}: {only}");
    }
}

/// A folder with the schema and one sound policy.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("shuqiao.cedarschema"), schema()).unwrap();
    fs::write(folder.path().join("a.cedar"), SOUND).unwrap();
    folder
}

#[test]
fn a_file_of_another_kind_is_refused_save_the_readme_and_dotfiles() {
    let folder = folder();
    let write = |name: &str| fs::write(folder.path().join(name), "x").unwrap();
    write("README.md");
    write(".a.cedar.swp");
    assert_eq!(PolicySet::load(folder.path()).unwrap().ids().collect::<Vec<_>>(), ["a"]);
    write("forbids.ceder");
    let found = complaints(PolicySet::load(folder.path()));
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].starts_with("forbids.ceder:1:1: the file is neither schema nor policies. Name it *.cedar"));
}

#[test]
fn a_folder_or_file_that_cannot_be_read_is_named() {
    let error = PolicySet::load(Path::new("/nonexistent/policies")).unwrap_err();
    assert_eq!(
        (error.code(), error.to_string().as_str()),
        (Code::PolicyInvalid, "`/nonexistent/policies` cannot be read")
    );
    let folder = folder();
    fs::remove_file(folder.path().join("shuqiao.cedarschema")).unwrap();
    let error = PolicySet::load(folder.path()).unwrap_err();
    assert!(error.to_string().ends_with("shuqiao.cedarschema` cannot be read"), "{error}");
    fs::write(folder.path().join("a.cedar"), [0xff]).unwrap();
    let error = PolicySet::load(folder.path()).unwrap_err();
    assert!(error.to_string().ends_with("a.cedar` cannot be read"), "{error}");
}

#[test]
fn a_set_is_named_by_its_files_their_names_and_its_schema() {
    let two = [("a.cedar", SOUND), ("b.cedar", "// b\n")];
    let hash = |schema: &str, files: &[(&str, &str)]| {
        let files: Vec<_> = files.iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned())).collect();
        PolicySet::from_sources(schema, &files).unwrap().hash().to_owned()
    };
    let first = hash(&schema(), &two);
    assert_eq!(first.len(), 64);
    assert_eq!(hash(&schema(), &[two[1], two[0]]), first, "the order in which files are found does not count");
    let others = [
        hash(&(schema() + "\n"), &two),
        hash(&schema(), &two[..1]),
        hash(&schema(), &[("a.cedar", SOUND), ("c.cedar", "// b\n")]),
        hash(&schema(), &[("a.cedar", SOUND), ("b.cedar", "// c\n")]),
        hash(&schema(), &[("a.cedar", &format!("{SOUND}// b\n"))]),
    ];
    for other in others {
        assert_ne!(other, first);
    }
}

#[test]
fn the_set_of_the_repository_is_read_from_its_folder() {
    let again = PolicySet::load(&in_repository("policies")).unwrap();
    assert_eq!(again.hash(), POLICIES.hash());
    assert_eq!(again.rules().count(), policies().len());
    assert!(again.rules().all(|(_, rule)| !rule.why.ends_with('.')));
}
