//! Channels against a journal that can be told to fail.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use super::*;
use crate::house::{House, Settings};
use crate::journal::fake::Fake;
use crate::journal::{Entry, Journal, Stream};
use crate::outbox::{Delivered, Outbox, Outlet};
use crate::protocol::{
    Delivery, Envelope, Interest, MessageId, Principal, Publish, Scopes, SessionId, Subject, TenantId, To, Token,
};

/// A session that tells a test what it was told.
struct Ear(Mutex<Sender<(To, Arc<Envelope>)>>);

impl Outlet for Ear {
    fn deliver(&self, delivery: Delivery) -> Delivered {
        let told = self.0.lock().unwrap().send((delivery.to, delivery.envelope));
        if told.is_ok() { Delivered::Yes } else { Delivered::Gone }
    }
}

struct World {
    journal: Arc<Fake>,
    channel: Recipient<Request>,
    outbox: Outbox,
    told: Receiver<(To, Arc<Envelope>)>,
}

fn outbox(session: u64) -> (Outbox, Receiver<(To, Arc<Envelope>)>) {
    let (tell, told) = channel();
    (Outbox::new(SessionId(session), Arc::new(Ear(Mutex::new(tell))), None), told)
}

/// Starts a channel over an empty journal.
fn world(nature: Nature) -> World {
    let journal = Arc::new(Fake::default());
    let house = Arc::new(House::new(journal.clone(), Settings::default(), 1));
    let tenant = Arc::new(Tenant::new(TenantId::trusted("t"), house.clone()));
    let channel = Channel::start_in_arbiter(house.arbiter(), move |_| Channel::new(tenant, nature)).recipient();
    let (outbox, told) = outbox(1);
    World { journal, channel, outbox, told }
}

fn news() -> Nature {
    Nature::Channel(ChannelId::trusted("news"))
}

impl World {
    fn send(&self, outbox: &Outbox, token: u32, command: Command) {
        let principal = Arc::new(Principal {
            tenant: TenantId::trusted("t"),
            subject: Subject::trusted("s"),
            scopes: Scopes::all(),
            agent: Some(AgentName::trusted("a")),
            channels: None,
            expires_at: None,
            authenticated: true,
        });
        let outbox = outbox.clone();
        self.channel.do_send(Request { token: Token(token), principal, outbox, interest: Interest::NOTHING, command });
    }

    fn publish(&self, token: u32, id: &str) {
        let what = Publish {
            channel: None,
            id: Some(MessageId::trusted(id)),
            kind: "message".into(),
            content: "1".into(),
            metadata: None,
            reply_to: None,
        };
        self.send(&self.outbox, token, Command::Publish(what));
    }

    fn attach(&self, outbox: &Outbox, since: Option<u64>) {
        self.send(outbox, 99, Command::Attach { channel: None, since, member: true });
    }

    fn replay(&self, outbox: &Outbox, after: u64, time: u64) {
        self.send(outbox, 98, Command::Replay { channel: None, after, time });
    }
}

/// What is told next, in short: `7:ack 3`, `7:RUN_NOT_FOUND`, `heard 3`.
fn next(told: &Receiver<(To, Arc<Envelope>)>) -> String {
    let (to, envelope) = told.recv_timeout(Duration::from_secs(10)).expect("nothing is told");
    let to = match to {
        To::Requester(Token(token)) => format!("{token}:"),
        To::Member | To::Subscriber => String::new(),
    };
    let what = match &envelope.event {
        Event::PublishAcknowledged { seq, .. } => format!("ack {seq}"),
        Event::Published { publication } | Event::DirectMessage { publication } => format!("heard {}", publication.seq),
        Event::Refused { error } => error.code.as_str().to_owned(),
        Event::Noted => "noted".to_owned(),
        Event::ReplayPaused { after, time, .. } => format!("paused {after} of {time}"),
        other => format!("{other:?}"),
    };
    to + &what
}

fn several(told: &Receiver<(To, Arc<Envelope>)>, count: usize) -> Vec<String> {
    (0..count).map(|_| next(told)).collect()
}

#[actix::test]
async fn what_failed_may_be_published_again_and_leaves_no_hole() {
    let world = world(news());
    world.attach(&world.outbox, None);
    assert_eq!(next(&world.told), "99:noted");
    world.journal.fail_next();
    world.publish(1, "m");
    assert_eq!(next(&world.told), "1:STORE_UNAVAILABLE");
    world.publish(2, "m");
    world.publish(3, "n");
    assert_eq!(several(&world.told, 2), ["2:ack 1", "heard 1"]);
    assert_eq!(several(&world.told, 2), ["3:ack 2", "heard 2"]);
    world.journal.fail_next();
    world.publish(4, "o");
    assert_eq!(next(&world.told), "4:STORE_UNAVAILABLE");
    world.publish(5, "m");
    assert_eq!(next(&world.told), "5:ack 1", "reading again forgets nothing");
    world.publish(6, "o");
    assert_eq!(several(&world.told, 2), ["6:ack 3", "heard 3"]);
}

#[actix::test]
async fn a_channel_made_anew_begins_anew() {
    let world = world(news());
    world.publish(1, "m");
    assert_eq!(next(&world.told), "1:ack 1");
    world.send(&world.outbox, 2, Command::Remove { channel: ChannelId::trusted("news") });
    world.publish(3, "m");
    assert_eq!(several(&world.told, 2), ["2:noted", "3:ack 1"]);
}

#[actix::test]
async fn a_direct_message_waits_until_somebody_has_it() {
    let world = world(Nature::Inbox(AgentName::trusted("a")));
    for (token, id) in [(1, "m"), (2, "n")] {
        world.publish(token, id);
        assert_eq!(next(&world.told), format!("{token}:ack {token}"));
    }
    // A session that has ended and not been struck out yet.
    let (gone, told) = outbox(2);
    drop(told);
    world.attach(&gone, None);
    world.replay(&gone, 0, 1);
    let (reader, heard) = outbox(3);
    world.attach(&reader, None);
    assert_eq!(next(&heard), "99:paused 0 of 2");
    world.replay(&reader, 0, 2);
    assert_eq!(several(&heard, 3), ["heard 1", "heard 2", "98:noted"]);
    drop(heard);
    world.publish(3, "o");
    assert_eq!(next(&world.told), "3:ack 3");
    let (again, heard) = outbox(4);
    world.attach(&again, None);
    assert_eq!(next(&heard), "99:paused 2 of 3");
    world.replay(&again, 2, 3);
    assert_eq!(several(&heard, 2), ["heard 3", "98:noted"]);
}

#[actix::test]
async fn a_reader_that_went_while_it_was_overtaken_is_not_listening() {
    let world = world(news());
    let most = Recent::COUNT as u32 * 2;
    for token in 1..=most {
        world.publish(token, &format!("m{token}"));
        assert_eq!(next(&world.told), format!("{token}:ack {token}"));
    }
    let name = PlaceName { tenant: TenantId::trusted("t"), kind: Kind::Channel, id: "news".to_owned() };
    let place = world.journal.find(&name).unwrap().unwrap();
    let lanes = (0..8).map(|lane| Stream { place, lane });
    let stream = lanes.into_iter().find(|lane| world.journal.head(*lane).unwrap() == u64::from(most)).unwrap();
    world.journal.append(vec![Entry::Trim { stream, first: 9 }], Box::new(|trimmed| trimmed.unwrap()));
    let (reader, heard) = outbox(2);
    let held = world.journal.hold();
    world.attach(&reader, Some(1));
    assert_eq!(next(&heard), "99:paused 1 of 1");
    world.replay(&reader, 1, 1);
    world.send(&reader, 5, Command::Detach { channel: None });
    assert_eq!(next(&heard), "5:noted");
    drop(held);
    assert_eq!(next(&heard), "98:noted", "nobody is told of what is not theirs any more");
    for token in [most + 1, most + 2] {
        world.publish(token, &format!("m{token}"));
        assert_eq!(next(&world.told), format!("{token}:ack {token}"));
    }
    assert!(heard.try_recv().is_err(), "it hears what is published");
}

#[actix::test]
async fn who_went_and_came_again_hears_of_its_second_time_alone() {
    let world = world(news());
    let most = Recent::COUNT as u32 * 2;
    for token in 1..=most {
        world.publish(token, &format!("m{token}"));
        assert_eq!(next(&world.told), format!("{token}:ack {token}"));
    }
    let (reader, heard) = outbox(2);
    let held = world.journal.hold();
    world.attach(&reader, Some(0));
    world.replay(&reader, 0, 1);
    world.send(&reader, 5, Command::Detach { channel: None });
    let last = u64::from(most) - 1;
    world.attach(&reader, Some(last));
    world.replay(&reader, 0, 1);
    world.replay(&reader, last, 2);
    let begun = ["99:paused 0 of 1", "5:noted", &format!("99:paused {last} of 2"), "98:noted"];
    assert_eq!(several(&heard, 4), begun);
    assert_eq!(several(&heard, 2), [format!("heard {most}"), "98:noted".to_owned()]);
    drop(held);
    assert_eq!(next(&heard), "98:noted", "the page that was being read came too late");
    assert!(heard.try_recv().is_err());
}
