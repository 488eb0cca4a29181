//! Where snapshots are kept: all in `tests/it/snapshots`. A change is looked at in the diff; it is taken over by running
//! the test with `INSTA_UPDATE=always`.

use super::root;

pub(crate) fn settings() -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(root().join("tests/it/snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings
}
