//! Proofs over the tree: that a record is in it (inclusion), that an earlier tree is its beginning (consistency).
//!
//! Pure. Making a proof reads every leaf once and holds O(log n) hashes; it is meant to be done offline, by whoever is
//! asked for one. Checking a proof needs the roots alone, so anybody who kept a signed head can do it.

use std::ops::Range;

use super::{
    AuditError,
    tree::{Frontier, Hash, node_hash},
};

/// PATH(index, D[size]) of RFC 6962 section 2.1.1 over leaf hashes in their order (`leaf_hashes` reads them).
pub fn inclusion_path(
    leaves: impl IntoIterator<Item = Result<Hash, AuditError>>,
    index: u64,
    size: u64,
) -> Result<Vec<Hash>, AuditError> {
    if index >= size {
        return Err(AuditError::NoSuchProof { asked: index, size });
    }
    let (mut ranges, mut within) = (Vec::new(), 0..size);
    while within.end - within.start > 1 {
        let middle = middle(&within);
        if index < middle {
            ranges.push(middle..within.end);
            within.end = middle;
        } else {
            ranges.push(within.start..middle);
            within.start = middle;
        }
    }
    ranges.reverse(); // The path begins at the leaf.
    roots_of(leaves, &ranges, size)
}

/// PROOF(old, D[size]) of RFC 6962 section 2.1.2. Empty where the sizes are equal, or the old tree is empty.
pub fn consistency_path(
    leaves: impl IntoIterator<Item = Result<Hash, AuditError>>,
    old: u64,
    size: u64,
) -> Result<Vec<Hash>, AuditError> {
    if old > size {
        return Err(AuditError::NoSuchProof { asked: old, size });
    }
    if old == 0 {
        return Ok(Vec::new());
    }
    let (mut ranges, mut within) = (Vec::new(), 0..size);
    while within.end != old {
        let middle = middle(&within);
        if old <= middle {
            ranges.push(middle..within.end);
            within.end = middle;
        } else {
            ranges.push(within.start..middle);
            within.start = middle;
        }
    }
    if within.start > 0 {
        ranges.push(within); // Else this subtree is the old tree itself, whose root the checker has.
    }
    ranges.reverse();
    roots_of(leaves, &ranges, size)
}

/// Where a tree over these leaves has its left part end: at the largest power of two below its size.
fn middle(leaves: &Range<u64>) -> u64 {
    leaves.start + (leaves.end - leaves.start).next_power_of_two() / 2
}

/// The roots over disjoint ranges of leaves, in the order of the ranges.
fn roots_of(
    leaves: impl IntoIterator<Item = Result<Hash, AuditError>>,
    ranges: &[Range<u64>],
    size: u64,
) -> Result<Vec<Hash>, AuditError> {
    let mut trees = vec![Frontier::default(); ranges.len()];
    let mut read = 0;
    for (index, leaf) in (0..size).zip(leaves) {
        let leaf = leaf?;
        if let Some(position) = ranges.iter().position(|range| range.contains(&index)) {
            trees[position].push(leaf);
        }
        read = index + 1;
    }
    if read < size {
        return Err(AuditError::NoSuchProof { asked: size, size: read });
    }
    Ok(trees.iter().map(Frontier::root).collect())
}

/// RFC 9162 section 2.1.3.2: is `leaf` the record of that index in the tree with this size and root?
pub fn verify_inclusion(leaf: &Hash, index: u64, size: u64, path: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut node, mut last, mut hash) = (index, size - 1, *leaf);
    for sibling in path {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            skip_levels_without_sibling(&mut node, &mut last);
        } else {
            hash = node_hash(&hash, sibling);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    last == 0 && hash == *root
}

/// RFC 9162 section 2.1.4.2: is the tree with the old size and root the beginning of the one with the new?
pub fn verify_consistency(old: u64, old_root: &Hash, new: u64, new_root: &Hash, path: &[Hash]) -> bool {
    if old == 0 {
        return path.is_empty() && *old_root == Frontier::default().root();
    }
    if old >= new {
        return old == new && path.is_empty() && old_root == new_root;
    }
    // Where the old tree is a full subtree, its root is where the path begins, and the checker has it.
    let (start, path) = match path {
        rest if old.is_power_of_two() => (old_root, rest),
        [first, rest @ ..] => (first, rest),
        [] => return false,
    };
    let (mut node, mut last) = (old - 1, new - 1);
    let full_levels = node.trailing_ones();
    (node, last) = (node >> full_levels, last >> full_levels);
    let (mut old_hash, mut new_hash) = (*start, *start);
    for sibling in path {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            old_hash = node_hash(sibling, &old_hash);
            new_hash = node_hash(sibling, &new_hash);
            skip_levels_without_sibling(&mut node, &mut last);
        } else {
            new_hash = node_hash(&new_hash, sibling);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    last == 0 && old_hash == *old_root && new_hash == *new_root
}

/// A node at the right edge may have no sibling for some levels; it is carried up unchanged. Not called for the leftmost
/// node, which has one on every level below the root.
fn skip_levels_without_sibling(node: &mut u64, last: &mut u64) {
    let levels = node.trailing_zeros();
    (*node, *last) = (*node >> levels, *last >> levels);
}

#[cfg(test)]
mod tests {
    use super::{
        super::tree::{
            leaf_hash,
            tests::{by_definition, hex, transparency_leaves},
        },
        *,
    };

    fn leaves(count: u32) -> Vec<Hash> {
        (0..count).map(|n| leaf_hash(&n.to_le_bytes())).collect()
    }

    fn read(leaves: &[Hash]) -> impl Iterator<Item = Result<Hash, AuditError>> {
        leaves.iter().copied().map(Ok)
    }

    /// PATH of RFC 6962 section 2.1.1, word for word.
    fn path_by_definition(index: usize, leaves: &[Hash]) -> Vec<Hash> {
        if leaves.len() == 1 {
            return Vec::new();
        }
        let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
        let (mut path, sibling) = match index.checked_sub(left.len()) {
            None => (path_by_definition(index, left), by_definition(right)),
            Some(index) => (path_by_definition(index, right), by_definition(left)),
        };
        path.push(sibling);
        path
    }

    /// SUBPROOF of RFC 6962 section 2.1.2, word for word.
    fn proof_by_definition(old: usize, leaves: &[Hash], whole: bool) -> Vec<Hash> {
        if old == leaves.len() {
            return if whole { Vec::new() } else { vec![by_definition(leaves)] };
        }
        let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
        let (mut path, sibling) = if old <= left.len() {
            (proof_by_definition(old, left, whole), by_definition(right))
        } else {
            (proof_by_definition(old - left.len(), right, false), by_definition(left))
        };
        path.push(sibling);
        path
    }

    #[test]
    fn inclusion_paths_are_the_definition_and_prove_exactly_their_leaf() {
        let leaves = leaves(35);
        for size in 1..=leaves.len() {
            let root = by_definition(&leaves[..size]);
            for index in 0..size {
                let path = inclusion_path(read(&leaves), index as u64, size as u64).unwrap();
                assert_eq!(path, path_by_definition(index, &leaves[..size]), "{index} of {size}");
                for (position, leaf) in leaves.iter().enumerate() {
                    let is_it = verify_inclusion(leaf, index as u64, size as u64, &path, &root);
                    assert_eq!(is_it, position == index, "leaf {position} as {index} of {size}");
                }
            }
        }
    }

    #[test]
    fn consistency_paths_are_the_definition_and_prove_exactly_their_beginning() {
        let leaves = leaves(35);
        for new in 1..=leaves.len() {
            let new_root = by_definition(&leaves[..new]);
            for old in 1..=new {
                let path = consistency_path(read(&leaves), old as u64, new as u64).unwrap();
                assert_eq!(path, proof_by_definition(old, &leaves[..new], true), "{old} in {new}");
                for claimed in 1..=new {
                    let root = by_definition(&leaves[..claimed]);
                    let is_it = verify_consistency(old as u64, &root, new as u64, &new_root, &path);
                    assert_eq!(is_it, claimed == old, "root of {claimed} as {old} in {new}");
                }
            }
        }
    }

    #[test]
    fn a_changed_path_proves_nothing() {
        let leaves = leaves(21);
        let root = by_definition(&leaves);
        let path = inclusion_path(read(&leaves), 9, 21).unwrap();
        let consistency = consistency_path(read(&leaves), 13, 21).unwrap();
        let old_root = by_definition(&leaves[..13]);
        for position in 0..path.len() {
            let mut changed = path.clone();
            changed[position][7] ^= 1;
            assert!(!verify_inclusion(&leaves[9], 9, 21, &changed, &root));
            assert!(!verify_inclusion(&leaves[9], 9, 21, &path[..position], &root));
        }
        for position in 0..consistency.len() {
            let mut changed = consistency.clone();
            changed[position][7] ^= 1;
            assert!(!verify_consistency(13, &old_root, 21, &root, &changed));
            assert!(!verify_consistency(13, &old_root, 21, &root, &consistency[..position]));
        }
        let longer: Vec<_> = path.iter().copied().chain([root]).collect();
        assert!(!verify_inclusion(&leaves[9], 9, 21, &longer, &root));
    }

    #[test]
    fn known_paths_of_certificate_transparency_come_out() {
        let leaves = transparency_leaves();
        let path: Vec<_> = inclusion_path(read(&leaves), 5, 8).unwrap().into_iter().map(hex).collect();
        let expected = [
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ];
        assert_eq!(path, expected);
    }

    #[test]
    fn what_a_tree_cannot_prove_is_an_error() {
        let leaves = leaves(5);
        assert!(matches!(inclusion_path(read(&leaves), 5, 5), Err(AuditError::NoSuchProof { asked: 5, size: 5 })));
        assert!(matches!(inclusion_path(read(&leaves), 5, 9), Err(AuditError::NoSuchProof { asked: 9, size: 5 })));
        assert!(matches!(consistency_path(read(&leaves), 6, 5), Err(AuditError::NoSuchProof { .. })));
        assert!(consistency_path(read(&leaves), 0, 5).unwrap().is_empty());
    }
}
