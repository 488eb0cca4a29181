//! The Merkle tree of RFC 6962 section 2.1 over the records, kept as its frontier.
//!
//! Pure. The frontier (the roots of the full subtrees, at most 64 of them) is all that appending needs; the root at the
//! present size costs O(log n) hashes.

use super::digest::sha256;

/// A node of the tree.
pub type Hash = [u8; 32];

/// RFC 6962 section 2.1: SHA-256(0x00 || payload). The prefix keeps a leaf from passing for a node.
pub fn leaf_hash(payload: &[u8]) -> Hash {
    let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    context.update(&[0x00]);
    context.update(payload);
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

pub(super) fn node_hash(left: &Hash, right: &Hash) -> Hash {
    // In one piece: the appender makes one or two of these for each record, and a context of its own would be allocated.
    let mut node = [0x01; 65];
    node[1..33].copy_from_slice(left);
    node[33..].copy_from_slice(right);
    sha256(&node).0
}

/// The tree over the first `size` leaves, as far as appending needs it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Frontier {
    size: u64,
    /// Roots of the full subtrees, largest first: one for each bit set in `size`.
    peaks: Vec<Hash>,
}

impl Frontier {
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    pub(super) fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        // Each trailing one of the size is a full subtree that the new leaf completes to one of twice its size.
        for _ in 0..self.size.trailing_ones() {
            let left = self.peaks.pop().expect("there is a peak for each bit set in the size");
            hash = node_hash(&left, &hash);
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// The root; of the empty tree, the hash of nothing.
    pub(super) fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        match peaks.next() {
            None => sha256(b"").0,
            Some(smallest) => peaks.fold(*smallest, |right, left| node_hash(left, &right)),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// MTH of RFC 6962 section 2.1, word for word.
    pub(crate) fn by_definition(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => sha256(b"").0,
            [leaf] => *leaf,
            _ => {
                let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
                node_hash(&by_definition(left), &by_definition(right))
            }
        }
    }

    pub(crate) fn hex(hash: Hash) -> String {
        crate::audit::Digest(hash).to_string()
    }

    /// The eight leaves with which implementations of certificate transparency test each other.
    pub(crate) fn transparency_leaves() -> Vec<Hash> {
        let texts =
            ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
        texts.iter().map(|text| leaf_hash(&hex::decode(text).unwrap())).collect()
    }

    #[test]
    fn the_roots_are_those_that_certificate_transparency_publishes() {
        let roots = [
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        let mut frontier = Frontier::default();
        let mut leaves = transparency_leaves().into_iter();
        for (size, root) in roots.into_iter().enumerate() {
            assert_eq!(hex(frontier.root()), root, "size {size}");
            leaves.next().into_iter().for_each(|leaf| frontier.push(leaf));
        }
    }

    #[test]
    fn the_frontier_agrees_with_the_definition_at_every_size() {
        let leaves: Vec<_> = (0..300_u32).map(|n| leaf_hash(&n.to_le_bytes())).collect();
        let mut frontier = Frontier::default();
        for (size, leaf) in leaves.iter().enumerate() {
            assert_eq!(frontier.root(), by_definition(&leaves[..size]), "size {size}");
            frontier.push(*leaf);
        }
        assert_eq!(frontier.size(), 300);
    }
}
