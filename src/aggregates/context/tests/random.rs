//! Many contenders for a few locks, whom chance lets hold, renew, forget, come back late and give up; beside them an oracle that
//! knows only what each was told.

use std::collections::{BTreeMap, HashMap};

use super::*;
use crate::events::ids::StreamId;
use crate::kernel::{Decided, Draft, Moment};
use crate::testing::Dice;
use crate::testing::MemoryBlobs;

const CONTENDERS: usize = 64;

/// How many grants there are in all, and over how many locks.
const GRANTS: usize = 100_000;
const LOCKS: usize = 4;

/// The lease, and how long a contender waits, in µs.
const LEASE_US: i64 = 50;
const WAIT_US: i64 = 300;

/// What one contender knows.
#[derive(Debug, Clone, PartialEq)]
enum Knows {
    Nothing,
    /// It waits for that lock until then.
    Waits(usize, i64),
    /// It was told that it holds the lock by that grant, until then.
    Holds(usize, LockFence, i64),
}

struct Arena {
    context: Context,
    stream: StreamId,
    version: Version,
    now: i64,
    dice: Dice,
    contenders: Vec<Knows>,
    /// Who came when for each lock, as the oracle remembers it.
    came: BTreeMap<usize, Vec<usize>>,
    /// Who holds each lock, and until when.
    holds: HashMap<usize, (usize, i64)>,
    last_fence: LockFence,
    granted: usize,
    /// How often each kind of thing happened.
    seen: BTreeMap<&'static str, usize>,
}

fn name(contender: usize) -> String {
    format!("c{contender}")
}

fn number(owner: &str) -> usize {
    owner[1..].parse().unwrap()
}

fn lock_name(number: usize) -> LockName {
    lock(&format!("l{number}"))
}

fn lock_number(lock: &LockName) -> usize {
    lock.as_str()[1..].parse().unwrap()
}

impl Arena {
    fn new(seed: u64) -> Self {
        Self {
            context: Context::default(),
            stream: StreamId::new("context", "arena"),
            version: Version(0),
            now: 0,
            dice: Dice::of(seed),
            contenders: vec![Knows::Nothing; CONTENDERS],
            came: (0..LOCKS).map(|lock| (lock, Vec::new())).collect(),
            holds: HashMap::new(),
            last_fence: LockFence(0),
            granted: 0,
            seen: BTreeMap::new(),
        }
    }

    fn note(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }

    fn ask(&mut self, ask: ContextAsk) -> Result<(), ContextRejection> {
        let (blobs, now) = (MemoryBlobs::default(), Timestamp(self.now));
        let moment = Moment { now, wall: now, blobs: &blobs, seed: 0, grants: None, driven_since: now };
        let mut draft = Draft::new(&mut self.context, &self.stream, self.version, now);
        let result = Context::decide(&mut draft, ask, &moment);
        let Decided { events, illegal, .. } = draft.finish();
        assert_eq!(illegal, None);
        assert!(result.is_ok() || events.is_empty());
        self.version = self.version.plus(events.len() as u64);
        events.iter().for_each(|event| self.told(event));
        let is_held = |lock: &usize| self.holds.contains_key(lock);
        assert!(
            self.came.iter().all(|(lock, came)| came.is_empty() || is_held(lock)),
            "a free lock is waited for"
        );
        result
    }

    /// The oracle hears an event.
    fn told(&mut self, event: &ContextEvent) {
        match event {
            ContextEvent::LockAwaited(awaited) => {
                let (lock, who) = (lock_number(&awaited.lock), number(&awaited.owner));
                self.came.get_mut(&lock).unwrap().push(who);
                self.contenders[who] = Knows::Waits(lock, awaited.until.0);
                self.note("awaited");
            }
            ContextEvent::LockGranted(granted) => {
                let (lock, who) = (lock_number(&granted.lock), number(&granted.owner));
                let before = self.holds.insert(lock, (who, granted.until.0));
                assert_eq!(before, None, "two hold {lock}");
                assert!(granted.fence > self.last_fence, "{} after {}", granted.fence, self.last_fence);
                self.last_fence = granted.fence;
                let came = self.came.get_mut(&lock).unwrap();
                if !came.is_empty() {
                    assert_eq!(came.remove(0), who, "who came first gets it");
                }
                self.contenders[who] = Knows::Holds(lock, granted.fence, granted.until.0);
                self.granted += 1;
                self.note("granted");
            }
            ContextEvent::LockRenewed(renewed) => {
                self.holds.get_mut(&lock_number(&renewed.held.lock)).unwrap().1 = renewed.until.0;
                self.note("renewed");
            }
            ContextEvent::LockReleased(released) => self.freed(&released.held, "released"),
            ContextEvent::LockExpired(expired) => {
                let (_, until) = self.holds[&lock_number(&expired.held.lock)];
                assert!(until <= self.now, "it lasts until {until}, and it is {}", self.now);
                self.freed(&expired.held, "expired");
            }
            ContextEvent::LockWaitEnded(ended) => {
                let (lock, who) = (lock_number(&ended.lock), number(&ended.owner));
                self.came.get_mut(&lock).unwrap().retain(|waits| *waits != who);
                let Knows::Waits(_, until) = self.contenders[who] else { panic!("{who} did not wait") };
                if ended.why == WaitEnd::TimedOut {
                    assert!(until <= self.now);
                    self.note("timed out");
                } else {
                    self.note("withdrew");
                }
                self.contenders[who] = Knows::Nothing;
            }
            ContextEvent::ContextSet(_) | ContextEvent::LockWaitEndTold(_) => {}
        }
    }

    fn freed(&mut self, held: &Held, how: &'static str) {
        assert!(self.holds.remove(&lock_number(&held.lock)).is_some());
        self.note(how);
    }

    /// One contender does something, or time passes.
    fn step(&mut self) {
        if self.dice.one_in(12) {
            self.pass();
        }
        let who = self.dice.below(CONTENDERS);
        match self.contenders[who].clone() {
            Knows::Nothing => {
                let lock = self.dice.below(LOCKS);
                let until = (!self.dice.one_in(20)).then(|| Timestamp(self.now + WAIT_US));
                let (name, owner) = (lock_name(lock), name(who).into());
                let lease = Duration::from_micros(LEASE_US.unsigned_abs());
                let ask = Acquire { lock: name, owner, lease, until, tells: None };
                let is_taken = self.holds.get(&lock).is_some_and(|(_, until)| *until > self.now);
                match self.ask(ContextAsk::Acquire(ask)) {
                    Ok(()) => assert_ne!(self.contenders[who], Knows::Nothing),
                    Err(refused) => {
                        assert_eq!(code(&refused), Code::LockHeld);
                        assert!(until.is_none() && (is_taken || !self.came[&lock].is_empty()));
                        self.note("refused");
                    }
                }
            }
            Knows::Waits(lock, _) if self.dice.one_in(200) => {
                let (lock, owner) = (lock_name(lock), name(who).into());
                self.ask(ContextAsk::Withdraw { lock, owner }).unwrap();
                assert_eq!(self.contenders[who], Knows::Nothing);
            }
            Knows::Waits(..) => {}
            Knows::Holds(lock, fence, _) => self.holder_acts(who, Held { lock: lock_name(lock), fence }),
        }
    }

    fn holder_acts(&mut self, who: usize, held: Held) {
        let lock = lock_number(&held.lock);
        let is_theirs =
            self.holds.get(&lock).is_some_and(|(holder, until)| *holder == who && *until > self.now);
        let owner: Arc<str> = name(who).into();
        match self.dice.below(20) {
            // It does not come back before its lease is over.
            0..=2 => return,
            3 => {
                let lease = Duration::from_micros(LEASE_US.unsigned_abs());
                let renewed = self.ask(ContextAsk::Renew { held, owner, lease });
                assert_eq!(renewed.is_ok(), is_theirs);
                if is_theirs {
                    return;
                }
            }
            4 => {
                let keys = vec![SetKey { key: key("k"), value: json("1"), expected: None }];
                let written = self.ask(ContextAsk::Set(Set { keys, by: owner, held: Some(held) }));
                assert_eq!(written.is_ok(), is_theirs, "a write under a grant that is not held any more");
                self.note(if is_theirs { "wrote" } else { "wrote in vain" });
                if is_theirs {
                    return;
                }
            }
            5 => {
                let stranger = name((who + 1) % CONTENDERS).into();
                assert!(self.ask(ContextAsk::Release { held, owner: stranger }).is_err());
                return;
            }
            _ => {
                let released = self.ask(ContextAsk::Release { held, owner });
                assert_eq!(released.is_ok(), is_theirs, "who gives a lock back that is not theirs any more");
                self.note(if is_theirs { "gave back" } else { "came back late" });
            }
        }
        self.contenders[who] = Knows::Nothing;
    }

    /// Time passes, and whoever drives the context wakes it when it is due; sometimes too late.
    fn pass(&mut self) {
        let until = self.now + i64::try_from(self.dice.below(30)).unwrap();
        while let Own::At(due) = self.context.attention().own
            && due.0 <= until
        {
            self.now = self.now.max(due.0) + if self.dice.one_in(10) { 40 } else { 0 };
            self.ask(ContextAsk::Due).unwrap();
            self.nobody_is_forgotten();
        }
        self.now = self.now.max(until);
    }

    /// Whoever waits does so for a lock that somebody holds, and not longer than they wanted.
    fn nobody_is_forgotten(&self) {
        for (who, knows) in self.contenders.iter().enumerate() {
            let Knows::Waits(lock, until) = knows else { continue };
            assert!(*until > self.now, "{who} waits for longer than it wanted");
            let (_, lease) = self.holds.get(lock).expect("they wait for a lock that nobody holds");
            assert!(*lease > self.now, "they wait for a lease that is over");
        }
    }
}

#[test]
fn sixty_four_contenders_take_a_hundred_thousand_locks_and_no_two_hold_one_and_none_is_forgotten() {
    for seed in 0..4 {
        let mut arena = Arena::new(seed);
        while arena.granted < GRANTS / 4 {
            arena.step();
        }
        // All who wait get it, or are told that they do not.
        while let Own::At(due) = arena.context.attention().own {
            arena.now = arena.now.max(due.0);
            arena.ask(ContextAsk::Due).unwrap();
        }
        assert!(arena.contenders.iter().all(|knows| !matches!(knows, Knows::Waits(..))));
        for what in [
            "awaited",
            "granted",
            "renewed",
            "released",
            "expired",
            "timed out",
            "withdrew",
            "refused",
            "wrote",
            "wrote in vain",
            "came back late",
        ] {
            assert!(arena.seen.contains_key(what), "{what}: {:?}", arena.seen);
        }
        assert_eq!(Context::restore(&arena.context.snapshot().unwrap()).unwrap(), arena.context);
    }
}
