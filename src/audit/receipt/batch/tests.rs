//! What a batched receipt must not let through.

use proptest::prelude::*;

use super::{
    super::{super::tree::tests::by_definition, LogPlace, RECEIPT_BYTES_MAX, TYPE, sign},
    *,
};
use crate::{
    audit::{inclusion_path, record::tests::answered_record},
    keys::SigningKey,
};

const LOG: Uuid = Uuid::from_u128(5);
const FIRST: u64 = 1000;

fn signer() -> (HeadSigner, PublicKeys) {
    let ring = Arc::new(KeyRing::of(SigningKey::generate().unwrap()));
    let keys = ring.public();
    let clock = || "2026-11-24T06:30:01Z".parse().unwrap();
    (HeadSigner { keys: ring, issuer: "https://node.example".to_owned(), clock }, keys)
}

fn verify(receipt: &str, keys: &PublicKeys) -> Result<ReceiptClaims, ReceiptError> {
    super::verify(receipt, keys, None)
}

/// Claims that differ from each other by their number, as they are before the record has its place.
fn claims(number: u8) -> ReceiptClaims {
    let place = LogPlace { id: LOG, index: None, leaf: Digest([number; 32]) };
    answered_record().receipt_claims("https://node.example", place).unwrap()
}

fn placed(number: u8, index: u64) -> ReceiptClaims {
    let mut claims = claims(number);
    claims.log.index = Some(index);
    claims
}

/// Every third record of a group is a refusal.
fn leaf(number: u8) -> Hash {
    if number % 3 == 2 { leaf_hash(&[number]) } else { leaf_hash(&claims(number).to_bytes()) }
}

fn batch(signer: &HeadSigner, size: u8) -> Batch {
    Batch::new(Arc::new(signer.clone()), LOG, FIRST, (0..size).map(leaf).collect())
}

fn receipt(batch: &Batch, number: u8) -> String {
    batch.receipt(FIRST + u64::from(number), &claims(number).to_bytes())
}

/// A receipt put together of any parts.
fn made_of(head: &str, claims: &[u8], position: u32, path: &[Hash]) -> String {
    let place = [&position.to_be_bytes()[..], path.as_flattened()].concat();
    format!("{head}~{}~{}", BASE64URL.encode(claims), BASE64URL.encode(place))
}

#[test]
fn each_receipt_of_a_group_says_what_was_covered_and_where_its_record_stands() {
    let (signer, keys) = signer();
    for size in 1..=35 {
        let batch = batch(&signer, size);
        for number in (0..size).filter(|number| number % 3 != 2) {
            let said = verify(&receipt(&batch, number), &keys);
            assert_eq!(said, Ok(placed(number, FIRST + u64::from(number))), "{number} of {size}");
        }
    }
}

#[test]
fn the_tree_is_that_of_the_standard_and_so_are_the_paths() {
    let (signer, _) = signer();
    for size in 1..=35 {
        let leaves: Vec<_> = (0..size).map(leaf).collect();
        let batch = batch(&signer, size);
        assert_eq!(batch.nodes.last(), Some(&by_definition(&leaves)), "{size}");
        for position in 0..leaves.len() {
            let path: Vec<_> = batch.path(position).copied().collect();
            let read = leaves.iter().copied().map(Ok);
            assert_eq!(path, inclusion_path(read, position as u64, u64::from(size)).unwrap(), "{position} of {size}");
        }
    }
}

#[test]
fn every_changed_bit_of_the_text_is_refused() {
    let (signer, keys) = signer();
    for (size, number) in [(1, 0), (6, 4), (7, 6)] {
        let receipt = receipt(&batch(&signer, size), number);
        assert!(verify(&receipt, &keys).is_ok());
        for bit in 0..receipt.len() * 8 {
            let mut bytes = receipt.clone().into_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            // A changed top bit is not UTF-8, which no door takes for text.
            let Ok(changed) = String::from_utf8(bytes) else { continue };
            assert!(super::super::verify(&changed, &keys).is_err(), "bit {bit}, {number} of {size}");
        }
    }
}

#[test]
fn another_spelling_of_the_same_receipt_is_refused() {
    let (signer, keys) = signer();
    let whole = receipt(&batch(&signer, 6), 4);
    let parts: Vec<_> = whole.split('~').collect();
    for changed in [
        format!("{whole}="),
        format!("{whole} "),
        format!(" {whole}"),
        format!("{whole}~"),
        format!("~{whole}"),
        format!("{whole}~{}", parts[2]),
        whole.replace('~', "~~"),
        [parts[0], parts[2], parts[1]].join("~"),
        parts[..2].join("~"),
    ] {
        assert!(super::super::verify(&changed, &keys).is_err(), "{changed}");
    }
}

#[test]
fn only_the_exact_path_of_its_position_leads_to_the_root() {
    let (signer, keys) = signer();
    let batch = batch(&signer, 7);
    let (head, claims) = (batch.head(), claims(4).to_bytes());
    let path: Vec<_> = batch.path(4).copied().collect();
    let verdict = |position, path: &[Hash]| verify(&made_of(head, &claims, position, path), &keys).map(drop);
    assert_eq!(verdict(4, &path), Ok(()));
    for position in [0, 3, 5, 6, 7, 12, u32::MAX] {
        assert_eq!(verdict(position, &path), Err(ReceiptError::NotCovered), "{position}");
    }
    let longer = [&path[..], &[[0; 32]]].concat();
    for path in [&path[..2], &[], &longer, &[longer[3]; 40]] {
        assert_eq!(verdict(4, path), Err(ReceiptError::NotCovered));
    }
    let cut = made_of(head, &claims, 4, &path);
    let malformed = |reason| Err(ReceiptError::Batch { reason });
    assert_eq!(verify(&cut[..cut.len() - 2], &keys), malformed("its path is cut"));
    assert_eq!(verify(&format!("{head}~{}~AAAA", BASE64URL.encode(&claims)), &keys), malformed("its position is cut"));
}

#[test]
fn a_head_covers_its_own_group_only() {
    let (signer, keys) = signer();
    let (one, other) = (batch(&signer, 6), batch(&signer, 7));
    let path: Vec<_> = one.path(4).copied().collect();
    let mixed = made_of(other.head(), &claims(4).to_bytes(), 4, &path);
    assert_eq!(verify(&mixed, &keys), Err(ReceiptError::NotCovered));
    let stranger = receipt(&batch(&self::signer().0, 6), 4);
    assert_eq!(verify(&stranger, &keys), Err(ReceiptError::Signature(JwsError::UnknownKey)));
    // A node of the tree is no leaf, however it is presented.
    let node = [one.nodes[0], one.nodes[1]].as_flattened().to_vec();
    let above: Vec<_> = one.path(0).skip(1).copied().collect();
    assert_eq!(verify(&made_of(one.head(), &node, 0, &above), &keys), Err(ReceiptError::NotCovered));
}

#[test]
fn what_is_covered_and_no_receipt_is_refused() {
    let (signer, keys) = signer();
    let only = |payload: &[u8], signer: &HeadSigner| {
        let batch = Batch::new(Arc::new(signer.clone()), LOG, 0, vec![leaf_hash(payload)]);
        verify(&made_of(batch.head(), payload, 0, &[]), &keys)
    };
    assert!(only(&claims(0).to_bytes(), &signer).is_ok());
    // The record of a refusal stands in the tree as well.
    let mut refused = answered_record();
    refused.answer_sha256 = None;
    assert!(matches!(only(&refused.to_bytes().unwrap(), &signer), Err(ReceiptError::Claims { .. })));
    // Claims that name a place themselves could name another one than the head.
    assert!(matches!(only(&placed(0, 7).to_bytes(), &signer), Err(ReceiptError::Batch { .. })));
    let elsewhere = HeadSigner { issuer: "https://other.example".to_owned(), ..signer.clone() };
    assert!(matches!(only(&claims(0).to_bytes(), &elsewhere), Err(ReceiptError::Batch { .. })));
    let foreign = Batch::new(Arc::new(signer.clone()), Uuid::nil(), 0, vec![leaf(0)]);
    let foreign = verify(&foreign.receipt(0, &claims(0).to_bytes()), &keys);
    assert!(matches!(foreign, Err(ReceiptError::Batch { .. })));
}

#[test]
fn neither_form_passes_for_the_other() {
    let (signer, keys) = signer();
    let batch = batch(&signer, 1);
    let wrong_type = Err(ReceiptError::Signature(JwsError::Type));
    assert_eq!(super::super::verify(batch.head(), &keys), wrong_type);
    let single = sign(&signer.keys.signing(), &claims(0));
    assert!(matches!(super::super::verify(&single, &keys), Err(ReceiptError::Claims { .. })), "it has no place");
    assert_eq!(verify(&made_of(&single, &claims(0).to_bytes(), 0, &[]), &keys), wrong_type);
    let head = jws::sign(&signer.keys.signing(), TYPE, b"{}");
    assert_eq!(verify(&made_of(&head, &claims(0).to_bytes(), 0, &[]), &keys), wrong_type);
}

#[test]
fn a_head_has_stable_names() {
    let (signer, keys) = signer();
    let head = jws::verify(batch(&signer, 3).head(), HEAD_TYPE, &keys).unwrap();
    insta::assert_snapshot!(String::from_utf8(head).unwrap(), @r#"{"iss":"https://node.example","iat":1795501801,"log":{"id":"00000000-0000-0000-0000-000000000005","first":1000,"size":3},"root":"a20182648c247fad5bb48522c3bfc89484b7e6ed6953860707ff3eddca61d6a3"}"#);
}

#[test]
fn a_receipt_of_the_largest_group_is_not_too_long() {
    use crate::audit::segment::{FRAME_HEADER_BYTES, GROUP_BYTES_MAX};
    let (signer, keys) = signer();
    let most = GROUP_BYTES_MAX / (FRAME_HEADER_BYTES + 1);
    let mut leaves = vec![[7; 32]; most];
    leaves[1] = leaf(1);
    let receipt = Batch::new(Arc::new(signer.clone()), LOG, FIRST, leaves).receipt(FIRST + 1, &claims(1).to_bytes());
    assert!(receipt.len() < RECEIPT_BYTES_MAX / 2, "{}", receipt.len());
    assert_eq!(verify(&receipt, &keys), Ok(placed(1, FIRST + 1)));
}

proptest! {
    #[test]
    fn any_text_is_refused_without_a_panic(parts in proptest::collection::vec(any::<String>(), 1..5)) {
        let (_, keys) = signer();
        prop_assert!(verify(&parts.join("~"), &keys).is_err());
    }

    #[test]
    fn any_place_is_refused_without_a_panic(place: Vec<u8>, claims: Vec<u8>) {
        let (signer, keys) = signer();
        let batch = batch(&signer, 5);
        let head = batch.head();
        let text = format!("{head}~{}~{}", BASE64URL.encode(claims), BASE64URL.encode(place));
        prop_assert!(verify(&text, &keys).is_err());
    }
}

#[test]
fn a_head_that_is_known_is_known_by_each_bit_and_while_its_key_is_in_the_set() {
    let (signer, keys) = signer();
    let (known, batch) = (KnownHeads::default(), batch(&signer, 7));
    let verify = |receipt: &str, keys: &PublicKeys| super::verify(receipt, keys, Some(&known));
    for number in [0, 1, 3] {
        assert_eq!(verify(&receipt(&batch, number), &keys), Ok(placed(number, FIRST + u64::from(number))));
    }
    assert_eq!(known.lock().len(), 1);
    let text = receipt(&batch, 4);
    for bit in 0..text.len() * 8 {
        let mut bytes = text.clone().into_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        if let Ok(changed) = String::from_utf8(bytes) {
            assert!(verify(&changed, &keys).is_err(), "bit {bit}");
        }
    }
    let (_, others) = self::signer();
    assert_eq!(verify(&text, &others), Err(ReceiptError::Signature(JwsError::UnknownKey)));
    assert!(verify(&text, &keys).is_ok());
    // However many heads come, so many are kept; a forgotten one is verified again.
    for _ in 0..2 * KnownHeads::MOST {
        verify(&receipt(&self::batch(&signer, 1), 0), &keys).unwrap();
        let (signer, keys) = self::signer();
        verify(&receipt(&self::batch(&signer, 1), 0), &keys).unwrap();
    }
    assert_eq!(known.lock().len(), KnownHeads::MOST);
    assert!(verify(&text, &keys).is_ok());
}
