//! The saga test of whole families: runs that start runs, each in the core that keeps it alive, with messages between them.
//! The process in which all of them are dies before every output of any of them, what is on its way is lost or was heard, and
//! another process drives the root, the youngest, or whoever has something to do. They end as if nobody had died.

mod members;
mod post;
mod promises;
mod stories;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use reenact::events::codec::Encoded;

use super::OF_FAMILIES;
use members::{Drives, Family, Loss, Story};
use post::Habits;
use stories::STORIES;

/// How messages are delivered.
const HABITS: [Habits; 4] = [
    Habits { twice: false, shuffled: None, withdraws: false },
    Habits { twice: true, shuffled: None, withdraws: true },
    Habits { twice: false, shuffled: Some(1), withdraws: true },
    Habits { twice: true, shuffled: Some(2), withdraws: false },
];

/// What was seen.
#[derive(Debug, Default)]
struct Seen {
    /// Before how many outputs a process died.
    crashes: usize,
    /// How many different things it left.
    futures: usize,
    kinds: BTreeSet<&'static str>,
}

#[test]
fn a_crash_of_a_whole_family_at_any_moment_changes_nothing_that_was_promised() {
    let began = std::time::Instant::now();
    let (seen, failed) = (Mutex::new(Seen::default()), Mutex::new(Vec::new()));
    let (cases, next) = (STORIES.len() * HABITS.len(), AtomicUsize::new(0));
    let work = || {
        while let Some(case) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|case| *case < cases) {
            let (story, habits) = (&STORIES[case % STORIES.len()], HABITS[case / STORIES.len()]);
            let drives = if case % 2 == 0 { Drives::Root } else { Drives::All };
            match crash_everywhere(story, habits, drives) {
                Ok(found) => seen.lock().unwrap().and(found),
                Err(why) => failed.lock().unwrap().push(format!("{}, {habits:?}: {why}", story.name)),
            }
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| (0..cores).for_each(|_| drop(scope.spawn(work))));
    let (seen, mut failed) = (seen.into_inner().unwrap(), failed.into_inner().unwrap());
    failed.sort_by_key(String::len);
    let first_lines: Vec<_> = failed.iter().filter_map(|why| why.lines().next()).collect();
    assert!(failed.is_empty(), "{}\n\n{}", first_lines.join("\n"), failed.join("\n\n"));
    let missed: Vec<_> = OF_FAMILIES.iter().filter(|kind| !seen.kinds.contains(*kind)).collect();
    assert!(missed.is_empty(), "these events never happened: {missed:?}");
    eprintln!("{} crash points, {} futures, in {:?}", seen.crashes, seen.futures, began.elapsed());
}

impl Seen {
    fn and(&mut self, other: Self) {
        self.crashes += other.crashes;
        self.futures += other.futures;
        self.kinds.extend(other.kinds);
    }
}

/// Plays a story, and lets the process die before every output on the way.
fn crash_everywhere(story: &'static Story, habits: Habits, drives: Drives) -> Result<Seen, String> {
    let (mut seen, mut known) = (Seen::default(), BTreeSet::new());
    let mut whole = Family::new(story, habits, drives);
    whole.finish()?;
    let expected = whole.world.counts();
    seen.kinds.extend(whole.histories().map(|event| event.kind()));
    let mut family = Family::new(story, habits, drives);
    while let Some(act) = family.next() {
        let mut after = family.clone();
        after.play(&act)?;
        for nth in 0..after.take_outputs() {
            seen.crashes += 1;
            let (losses, all) =
                ([Loss::Lost, Loss::Heard], [Drives::Root, Drives::YoungestFirst, Drives::All]);
            // Where messages are delivered in another way they take turns.
            let (losses, these) = match habits.is_plain() {
                true => (&losses[..], &all[..]),
                false => (&losses[seen.crashes % 2..][..1], &all[seen.crashes % 3..][..1]),
            };
            for &loss in losses {
                let mut dead = family.clone();
                dead.die_before(nth);
                dead.play(&act)?;
                for &drives in these {
                    let mut next = dead.clone();
                    next.crash(loss, drives)?;
                    if known.insert((drives, next.left())) {
                        seen.futures += 1;
                        go_on(next, &expected)?;
                    }
                }
            }
        }
        family = after;
    }
    Ok(seen)
}

/// Another process goes on, and it ends as it does when nobody dies.
fn go_on(mut family: Family, expected: &BTreeMap<String, usize>) -> Result<(), String> {
    family.finish()?;
    let done = family.world.counts();
    if done == *expected || !family.ends_as_told() {
        Ok(())
    } else {
        Err(family.tell(&format!("{done:?} is done, not {expected:?}")))
    }
}

/// A child has ended, and the process died before it told so. Nobody drives anybody any more, but its parent is cancelled: that
/// asks the child to end, which answers how it has.
#[test]
fn who_is_asked_says_again_what_it_has_to_say_though_nobody_drives_it() {
    let mut family = Family::new(&stories::LEFT, HABITS[0], Drives::Root);
    while !family.has("child", "run_completed") {
        let act = family.next().expect("the child ends");
        family.play(&act).unwrap();
    }
    family.crash(Loss::Lost, Drives::Nobody).unwrap();
    assert!(!family.has("root", "child_ended"));
    family.play(&stories::cancel_root()).unwrap();
    family.finish().unwrap();
}
