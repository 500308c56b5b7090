//! One fault after the other, of any kind, at any moment: whatever was ever acknowledged is true after each.
//!
//! Kinds and moments come from a seed, which a failure names; `CHAOS_SEED` takes one, `CHAOS_ROUNDS` how many there are.

use crate::boards::{Boards, any_token};
use crate::harness::server::Server;
use crate::kept::check;
use crate::load::{Load, Told, publish_again};
use crate::nats::Nats;
use crate::patience::PATIENCE;

/// Numbers from a seed: xorshift.
struct Moments(u64);

impl Moments {
    fn new() -> Self {
        let now = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64;
        Self(given("CHAOS_SEED").unwrap_or_else(now) | 1)
    }

    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most
    }
}

fn given(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|number| number.parse().ok())
}

/// The one that leads is lost; the other takes over, and the lost one comes back to stand by.
fn take_over(leader: &mut Server, other: &mut Server, how: u64) {
    match how {
        0 => leader.kill9(),
        1 => leader.begin_to_terminate(),
        _ => leader.signal("STOP"),
    }
    other.serving(PATIENCE);
    if how > 1 {
        leader.signal("CONT");
    }
    if how > 0 {
        let code = leader.wait_for(PATIENCE).code();
        assert_eq!(code, Some(i32::from(how > 1)), "{}", leader.stderr());
    }
    leader.begin_again();
    leader.says("standing by", PATIENCE);
    std::mem::swap(leader, other);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "for long searches: CHAOS_ROUNDS=50 tests/cluster/run --ignored"]
async fn whatever_was_acknowledged_is_true_after_fault_upon_fault() {
    let mut moments = Moments::new();
    println!("CHAOS_SEED={}", moments.0);
    let mut nats = [Nats::alone().await];
    let boards = Boards::over(&nats);
    let mut leader = boards.lead("one");
    let mut other = boards.stand_by("two");
    let token = any_token(&leader);
    let mut told = Told::default();
    for round in 0..given("CHAOS_ROUNDS").unwrap_or(50) {
        let load = Load::begin(&leader, &token, &format!("round-{round}")).await;
        let (moment, how) = (moments.below(200), moments.below(4));
        println!("round {round}: fault {how} after {moment} acknowledgements");
        load.more(usize::try_from(moment).unwrap()).await;
        if how == 3 {
            nats[0].kill9();
            nats[0].begin_again();
            load.more(20).await;
        } else {
            take_over(&mut leader, &mut other, how);
        }
        let mut new = load.end().await;
        // Whoever was refused by a server that leads no more knows as little as one without an answer.
        new.refused.clear();
        let again = publish_again(&leader, &token, &new.unsure).await;
        told.add(new);
        told.add(Told { publications: again, ..Told::default() });
        check(&leader, &token, &told).await;
    }
}
