//! A client and a dataset that are kept are those of the question.

use super::scene::{POLICIES, Scene, with};
use crate::{
    catalog::{Sensitivity, SharingAttribute},
    policy::PolicySet,
};

/// A set that looks at everything that is said of the two.
fn looking() -> PolicySet {
    with(
        "@id(\"of-the-city\") @why(\"x\") forbid (principal, action, resource) when { principal.division == \"440300\" };\n\
         @id(\"of-the-node\") @why(\"x\") forbid (principal, action, resource) when { principal.node == \"shenzhen\" };\n\
         @id(\"of-the-other\") @why(\"x\") forbid (principal in Shuqiao::Department::\"gd-health\", action, resource);\n\
         @id(\"of-provider\") @why(\"x\") forbid (principal, action, resource)\n\
           when { resource.provider == Shuqiao::Department::\"gd-health\" };\n\
         @id(\"of-level\") @why(\"x\") forbid (principal, action, resource) when { resource.sensitivity == 1 };\n\
         @id(\"of-no-division\") @why(\"x\") forbid (principal, action, resource) unless { resource.by_division };",
    )
}

#[test]
fn a_change_of_the_catalogue_is_not_missed() {
    type Change = fn(&mut Scene);
    let changes: [(&str, Change); 7] = [
        ("of-the-city", |s| s.department.division = "440300".parse().unwrap()),
        ("of-the-node", |s| s.department.node = "shenzhen".parse().unwrap()),
        ("of-the-other", |s| s.department.id = "gd-health".parse().unwrap()),
        ("of-provider", |s| s.dataset.provider = "gd-health".parse().unwrap()),
        ("of-level", |s| s.dataset.sensitivity = Sensitivity::new(1).unwrap()),
        ("of-no-division", |s| s.dataset.division = None),
        ("not-shared-datasets", |s| s.dataset.sharing.attribute = SharingAttribute::NotShared),
    ];
    let set = looking();
    for (policy, change) in changes {
        let before = Scene::new();
        assert!(before.decided_by(&set).allows(), "{policy}: {:?}", before.decided_by(&set));
        let mut after = Scene::new();
        change(&mut after);
        // The same client and dataset as a moment ago.
        assert!(after.decided_by(&set).policies().contains(&policy.to_owned()), "{policy}");
        assert!(before.decided_by(&set).allows(), "and back");
    }
    assert!(Scene::new().decided_by(&POLICIES).allows());
}
