//! What is brought to who listens.

use futures_util::FutureExt;

use super::*;
use crate::executors::logs::live::{Heard, Hearing, Said};

fn run() -> RunId {
    RunId::parse("r").unwrap()
}

fn next(hearing: &mut Hearing) -> Said {
    match hearing.try_next() {
        Some(Heard::Said(said)) => said,
        other => panic!("{other:?}"),
    }
}

#[test]
fn only_who_listens_to_a_run_hears_it_and_its_children() {
    let logs = Logs::in_folder(None);
    let [child, grandchild, other] = ["child", "grandchild", "other"].map(|run| RunId::parse(run).unwrap());
    logs.begin_child(&child, &run(), &StepId::grown("sub"));
    logs.begin_child(&grandchild, &child, &StepId::grown("subsub"));
    let mut hears = logs.listen(Some(run()), Wants::Words);
    let mut hears_all = logs.listen(None, Wants::Words);
    for run in [run(), grandchild.clone(), other] {
        logs.tap(Speaker { run, ..speaker("a") }).say(Stream::Stdout, b"x");
    }
    assert!(next(&mut hears).way.is_empty());
    let said = next(&mut hears);
    assert_eq!(
        (&said.speaker.run, said.way),
        (&grandchild, vec![StepId::grown("sub"), StepId::grown("subsub")])
    );
    assert!(hears.try_next().is_none());
    assert_eq!(std::iter::from_fn(|| hears_all.try_next()).count(), 3);
    logs.end_child(&grandchild);
    logs.tap(Speaker { run: grandchild, ..speaker("a") }).say(Stream::Stdout, b"x");
    assert!(hears.try_next().is_none());
}

#[tokio::test]
async fn who_wants_ends_hears_no_words() {
    let logs = Logs::in_folder(None);
    let mut hearing = logs.listen(Some(run()), Wants::Ends);
    let mut tap = logs.tap(speaker("a"));
    tap.say(Stream::Stdout, b"x");
    tap.end(Timestamp(1), Ended::default(), None).await;
    assert!(matches!(hearing.try_next(), Some(Heard::Ended { block: true, .. })));
}

/// What is said is one piece for who is slow, and each stream and each attempt stay apart.
#[test]
fn what_is_not_taken_yet_comes_together() {
    let logs = Logs::in_folder(None);
    let mut hearing = logs.listen(Some(run()), Wants::Words);
    let (mut a, mut b) = (logs.tap(speaker("a")), logs.tap(speaker("b")));
    for _ in 0..1000 {
        a.say(Stream::Stdout, b"line\n");
    }
    a.say(Stream::Stderr, b"err");
    b.say(Stream::Stderr, b"err");
    assert_eq!(next(&mut hearing).bytes, b"line\n".repeat(1000));
    assert_eq!(next(&mut hearing).speaker.step, StepId::grown("a"));
    assert_eq!(next(&mut hearing).speaker.step, StepId::grown("b"));
}

/// A program is held up by who reads more slowly than it writes, until he has taken enough.
#[tokio::test]
async fn who_is_slow_is_waited_for_and_who_is_deaf_is_not() {
    let logs = Logs::in_folder(None);
    let mut hearing = logs.listen(Some(run()), Wants::Words);
    let mut tap = logs.tap(speaker("a"));
    let mut said = 0_u64;
    while tap.room().now_or_never().is_some() {
        tap.say(Stream::Stdout, &[b'x'; 50_000]);
        said += 50_000;
        assert!(said < 2_000_000, "nobody is waited for");
    }
    let taken = next(&mut hearing);
    drop(taken);
    assert!(tap.room().now_or_never().is_some(), "there is room again");
    tap.say(Stream::Stdout, &[b'x'; 60_000]);
    // Nobody takes anything any more. Who waits for room has other things to do now and then.
    let deadline = Instant::now() + LONG;
    while tokio::time::timeout(Duration::from_millis(50), tap.room()).await.is_err() {
        assert!(Instant::now() < deadline);
    }
    for _ in 0..100 {
        assert!(tap.room().now_or_never().is_some());
        tap.say(Stream::Stdout, &[b'y'; 1_000]);
    }
    let mut heard: Vec<Said> = Vec::new();
    while let Some(Heard::Said(said)) = hearing.try_next() {
        heard.push(said);
    }
    assert!(heard.iter().all(|said| said.missed == 0 && !said.bytes.contains(&b'y')));
    drop(heard);
    tap.say(Stream::Stdout, b"z");
    assert_eq!(next(&mut hearing).missed, 100_000);
    // Who has gone holds up nobody.
    drop(hearing);
    assert!(tap.room().now_or_never().is_some());
}

/// What a program says when it is told to stop is not waited for, and takes no memory without end.
#[test]
fn who_is_not_waited_for_is_brought_no_more_than_he_may_hold() {
    let logs = Logs::in_folder(None);
    let mut hearing = logs.listen(Some(run()), Wants::Words);
    let mut tap = logs.tap(speaker("a"));
    tap.hurry();
    for _ in 0..1000 {
        assert!(tap.room().now_or_never().is_some());
        tap.say(Stream::Stdout, &[b'x'; 60_000]);
    }
    let held: usize = std::iter::from_fn(|| hearing.try_next())
        .map(|heard| if let Heard::Said(said) = heard { said.bytes.len() } else { 0 })
        .sum();
    assert!((1_000_000..9_000_000).contains(&held), "{held}");
}

#[test]
fn what_is_heard_comes_through_a_socket_as_it_is() {
    let logs = Logs::in_folder(None);
    let mut hearing = logs.listen(None, Wants::Words);
    for bytes in [&b"text\n"[..], b"\xff\0\n"] {
        logs.tap(speaker("a[0]")).say(Stream::Stderr, bytes);
        let heard = hearing.try_next().unwrap();
        let json = serde_json::to_string(&heard).unwrap();
        let Heard::Said(read) = serde_json::from_str(&json).unwrap() else { panic!("{json}") };
        assert_eq!((read.bytes.as_slice(), read.speaker.step.as_str()), (bytes, "a[0]"));
    }
}
