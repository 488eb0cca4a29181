use super::*;

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn guangdong() -> Catalog {
    catalog::load(&root("catalogs/guangdong")).unwrap()
}

#[test]
fn the_agreements_of_guangdong_fit_its_catalogue() {
    let catalog = guangdong();
    match load(&root("catalogs/guangdong-agreements.yaml"), &catalog) {
        Ok(agreements) => assert!(agreements.iter().count() >= 12),
        Err(error) => panic!("{}", error.complaints().iter().map(|c| format!("{c}\n")).collect::<String>()),
    };
}
