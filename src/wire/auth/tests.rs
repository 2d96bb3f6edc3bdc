use super::*;
use bytes::Bytes;
use proptest::prelude::*;

fn name() -> Text<NAME_KEY_BYTES> {
    Text::cut("pi-1")
}

fn key(byte: u8) -> Key {
    Key([byte; 32])
}

/// Both sides' sessions when everything is right.
fn sessions(channel: Channel) -> (Session, Session) {
    let (auth, claim) = Claim::new(key(1), name(), channel, [2; 32]);
    let FromClaimant::Auth { name, nonce } = auth else { panic!() };
    let (challenge, pending) = Challenge::new(key(1), name, channel, nonce, [3; 32]);
    let ToClaimant::Challenge { nonce, proof } = challenge else { panic!() };
    let (answer, slave) = claim.answer(nonce, proof).unwrap();
    let FromClaimant::Proof { proof } = answer else { panic!() };
    (slave, pending.check(proof).unwrap())
}

fn sealed(sealer: &mut Sealer, tag: u8, payload: &[u8]) -> BytesMut {
    let mut out = BytesMut::from(&b"before"[..]);
    frame::put(&mut out, tag, |out| out.put_slice(payload));
    sealer.seal(&mut out, 6);
    assert_eq!(out.split_to(6), &b"before"[..]);
    out
}

fn taken(mut bytes: BytesMut) -> Frame {
    frame::take(&mut bytes, 1 << 20).unwrap().unwrap()
}

#[test]
fn the_hmac_is_that_of_rfc_4231() {
    let hex = |bytes: [u8; 32]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    assert_eq!(
        hex(hmac(&[0x0b; 20], &[b"Hi ", b"There"])),
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
    );
    assert_eq!(
        hex(hmac(b"Jefe", &[b"what do ya want for nothing?"])),
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    );
    assert_eq!(
        hex(hmac(&[0xaa; 131], &[b"Test Using Larger Than Block-Size Key - Hash Key First"])),
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
    );
}

#[test]
fn both_sides_come_to_the_same_session() {
    let (mut slave, mut master) = sessions(Channel::Slave);
    for n in 0..3u8 {
        let frame = taken(sealed(&mut slave.sealer, n, b"up"));
        assert_eq!(master.opener.open(frame).unwrap(), Frame { tag: n, payload: Bytes::from_static(b"up") });
        let frame = taken(sealed(&mut master.sealer, n, b"down"));
        assert_eq!(slave.opener.open(frame).unwrap().payload, &b"down"[..]);
    }
}

#[test]
fn a_peer_without_the_key_is_found_out_by_either_side() {
    let (auth, claim) = Claim::new(key(1), name(), Channel::Slave, [2; 32]);
    let FromClaimant::Auth { name: claimed, nonce } = auth else { panic!() };
    // a master that has another key, or none
    let (challenge, pending) = Challenge::new(key(9), claimed, Channel::Slave, nonce, [3; 32]);
    let ToClaimant::Challenge { nonce, proof } = challenge else { panic!() };
    assert!(claim.answer(nonce, proof).is_none());
    // a slave that has another key, and one that sends the master's proof back
    assert!(pending.check(hmac(&key(1).0, &[b"anything"])).is_none());
    assert!(pending.check(proof).is_none());
}

#[test]
fn a_proof_is_good_for_one_connection_of_one_channel_and_name() {
    let proof_for = |channel, named: &str, master_nonce| {
        let (_, claim) = Claim::new(key(1), Text::cut(named), channel, [2; 32]);
        let (challenge, _) = Challenge::new(key(1), Text::cut(named), channel, [2; 32], master_nonce);
        let ToClaimant::Challenge { nonce, proof } = challenge else { panic!() };
        let Some((FromClaimant::Proof { proof }, _)) = claim.answer(nonce, proof) else { panic!() };
        proof
    };
    let (_, pending) = Challenge::new(key(1), name(), Channel::Slave, [2; 32], [3; 32]);
    assert!(pending.check(proof_for(Channel::Slave, "pi-1", [3; 32])).is_some());
    assert!(pending.check(proof_for(Channel::File, "pi-1", [3; 32])).is_none(), "another channel");
    assert!(pending.check(proof_for(Channel::Slave, "pi-2", [3; 32])).is_none(), "another name");
    assert!(pending.check(proof_for(Channel::Slave, "pi-1", [4; 32])).is_none(), "another connection");
}

#[test]
fn replays_reorderings_and_reflections_are_told_apart() {
    let (mut slave, mut master) = sessions(Channel::Slave);
    let first = taken(sealed(&mut slave.sealer, 1, b"a"));
    let second = taken(sealed(&mut slave.sealer, 1, b"b"));
    assert_eq!(master.opener.open(second.clone()), Err(Broken::Reordered));
    assert!(master.opener.open(first.clone()).is_ok());
    assert_eq!(master.opener.open(first), Err(Broken::Replayed));
    let own = taken(sealed(&mut master.sealer, 1, b"c"));
    assert_eq!(master.opener.open(own), Err(Broken::Mac), "its own frame sent back");
    // a defect does not move the number on
    assert!(master.opener.open(second).is_ok());
    let (mut other, _) = sessions(Channel::File);
    assert_eq!(master.opener.open(taken(sealed(&mut other.sealer, 1, b"a"))), Err(Broken::Mac));
    let bare = Frame { tag: 1, payload: Bytes::from_static(b"no seal") };
    assert_eq!(master.opener.open(bare), Err(Broken::Mac));
}

#[test]
fn keys_stay_out_of_logs() {
    assert!(!format!("{:?}", key(0xab)).contains("171"));
}

proptest! {
    #[test]
    fn one_flipped_bit_breaks_the_seal(
        tag in any::<u8>(),
        payload in proptest::collection::vec(any::<u8>(), 0..60),
        bit in any::<prop::sample::Index>(),
    ) {
        let (mut slave, mut master) = sessions(Channel::Slave);
        let frame = taken(sealed(&mut slave.sealer, tag, &payload));
        let mut bytes = vec![frame.tag];
        bytes.extend_from_slice(&frame.payload);
        let bit = bit.index(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        let broken = Frame { tag: bytes[0], payload: Bytes::from(bytes[1..].to_vec()) };
        prop_assert_eq!(master.opener.open(broken), Err(Broken::Mac));
        prop_assert_eq!(master.opener.open(frame).map(|f| f.payload.to_vec()), Ok(payload));
    }
}
