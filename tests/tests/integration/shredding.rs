//! One session's key is destroyed: its data are gone, everything else verifies, and both are told apart from damage.

use crate::harness::Relay;

#[test]
fn a_shredded_session_verifies_says_so_and_the_others_are_still_readable() {
    let mut relay = Relay::fresh();
    relay.psql("alice", &["SELECT 'to be ' || 'forgotten'"]).ok();
    relay.psql("alice", &["SELECT 'to be ' || 'kept'"]).ok();
    relay.stop();
    let sessions: Vec<String> =
        relay.sessions().ok().lines().map(|line| line.split(' ').next().unwrap().to_owned()).collect();
    let [forgotten, kept] = sessions.as_slice() else { panic!("{sessions:?}") };
    assert!(relay.replay(forgotten).ok().contains("to be forgotten"));
    let wrapped = relay.wrapped_key(forgotten);
    assert!(wrapped.exists());

    let said = relay.shred(forgotten).ok();
    assert!(said.contains("is shredded"), "{said}");
    assert!(!wrapped.exists());
    let verified = relay.verify(&relay.evidence()).ok();
    assert!(verified.contains("SHREDDED") && verified.contains("session.shredded"), "{verified}");
    assert_eq!(verified.matches("SHREDDED").count(), 1, "{verified}");
    let replay = relay.replay(forgotten).ok();
    assert!(replay.contains("data      shredded") && !replay.contains("to be forgotten"), "{replay}");
    assert!(replay.contains("(verified)") && replay.contains("statement 1"), "{replay}");
    assert!(relay.replay(kept).ok().contains("to be kept"));

    let bundle = relay.bundle("after");
    let verified = relay.verify(&bundle).ok();
    assert!(verified.contains("SHREDDED"), "{verified}");
    let page = std::fs::read_to_string(bundle.join(format!("replay/{forgotten}.html"))).unwrap();
    assert!(page.contains("key is gone"), "{page}");
    relay.shred(forgotten).ok();
    relay.verify(&relay.evidence()).ok();
}

#[test]
fn a_key_that_vanished_is_no_shredding_and_a_live_session_is_not_shredded() {
    let mut relay = Relay::fresh();
    let mut client = crate::harness::RawClient::logged_in(&relay, "alice");
    client.send(&crate::harness::raw::query("SELECT 1"));
    let live = relay.sessions().ok().split(' ').next().unwrap().to_owned();
    let refused = relay.shred(&live).refused();
    assert!(refused.contains("has not ended"), "{refused}");
    drop(client);
    relay.psql("alice", &["SELECT 2"]).ok();
    relay.stop();
    std::fs::remove_file(relay.wrapped_key(&live)).unwrap();
    let verified = relay.verify(&relay.evidence()).ok();
    assert!(verified.contains("session.key") && !verified.contains("SHREDDED"), "{verified}");
    let replay = relay.replay(&live).ok();
    assert!(replay.contains("nobody says that it was destroyed"), "{replay}");
}
