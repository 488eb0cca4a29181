use super::*;

#[test]
fn the_catalogue_of_guangdong_holds_together() {
    let catalog = match load(&guangdong()) {
        Ok(catalog) => catalog,
        Err(error) => panic!("{}", error.complaints().iter().map(|c| format!("{c}\n")).collect::<String>()),
    };
    assert_eq!(
        catalog.datasets.keys().map(|id| id.as_str()).collect::<Vec<_>>(),
        ["e-licence", "legal-entity", "natural-person", "social-credit"]
    );
}

fn guangdong() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("catalogs/guangdong")
}
