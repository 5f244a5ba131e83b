//! What is kept in files, and what is read of them while it is written and after.

use super::*;
use crate::executors::logs::keeper::FILE_BYTES_MAX;

/// A folder with a folder for each run, and the logs in it.
struct Kept {
    folder: tempfile::TempDir,
    logs: Arc<Logs>,
}

impl Kept {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let logs = Logs::in_folder(Some(folder.path().join("runs")));
        Self { folder, logs }
    }

    fn runs(&self) -> PathBuf {
        self.folder.path().join("runs")
    }

    fn file(&self, name: &str) -> PathBuf {
        folder(&self.runs(), &RunId::parse("r").unwrap()).join(name)
    }

    fn reader(&self) -> Reader {
        Reader::new(&self.runs(), &RunId::parse("r").unwrap(), Which::default())
    }

    /// All that is told, a line each.
    fn told(&self) -> Vec<String> {
        let (mut reader, mut told) = (self.reader(), Vec::new());
        reader.last(&mut |head, what| told.push(shown(head, what))).unwrap();
        told
    }

    fn write(&self, name: &str, lines: &str) {
        let file = self.file(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, lines).unwrap();
    }
}

fn shown(head: &Head, told: Told) -> String {
    let what = match told {
        Told::Line { stream, text, .. } => format!("{stream:?} {}", String::from_utf8_lossy(&text)),
        Told::LeftOut(bytes) => format!("left out {bytes}"),
        Told::Damaged(lines) => format!("damaged {lines}"),
        Told::Ended(ended) => format!("ended {:?}", ended.exit),
    };
    format!("{} {what}", head.speaker.step)
}

fn done() -> Ended {
    Ended { exit: Some(0), ..Ended::default() }
}

#[tokio::test]
async fn what_was_said_is_whole_once_the_attempt_has_ended() {
    let kept = Kept::new();
    let (mut a, mut b) = (kept.logs.tap(speaker("a")), kept.logs.tap(speaker("b/c")));
    a.say(Stream::Stdout, b"one\ntw");
    a.say(Stream::Stderr, b"err\n");
    b.say(Stream::Stdout, b"other\n");
    a.say(Stream::Stdout, b"o\nthree");
    a.end(Timestamp(7), done(), None).await;
    b.end(Timestamp(8), done(), None).await;
    let mut told = kept.told();
    // Times of one millisecond may be in any order.
    told.sort();
    assert_eq!(
        told,
        [
            "a Stderr err",
            "a Stdout one",
            "a Stdout three",
            "a Stdout two",
            "a ended Some(0)",
            "b/c Stdout other",
            "b/c ended Some(0)"
        ]
    );
}

#[tokio::test]
async fn who_says_nothing_has_no_log() {
    let kept = Kept::new();
    kept.logs.tap(speaker("a")).end(Timestamp(7), done(), None).await;
    assert!(!kept.runs().exists());
    assert!(kept.told().is_empty());
}

/// It does not wait for the end of anything: who follows sees a line soon after it was written, also one of which there is
/// no end yet.
#[tokio::test]
async fn a_line_is_there_soon_after_it_was_said() {
    let kept = Kept::new();
    let mut tap = kept.logs.tap(speaker("a"));
    tap.say(Stream::Stdout, b"whole\nhalf");
    let (mut reader, mut told) = (kept.reader(), Vec::new());
    let deadline = Instant::now() + LONG;
    while told.is_empty() {
        reader.pass(&mut |head, what| told.push(shown(head, what))).unwrap();
        assert!(Instant::now() < deadline);
        tokio::task::yield_now().await;
    }
    assert_eq!(told, ["a Stdout whole"]);
    reader.last(&mut |head, what| told.push(shown(head, what))).unwrap();
    assert_eq!(told, ["a Stdout whole", "a Stdout half"]);
}

/// To a file system two moments are one, and a log that came right after it was looked was never seen.
#[test]
fn a_log_that_comes_right_after_it_was_looked_is_seen() {
    let kept = Kept::new();
    let (mut reader, mut seen) = (kept.reader(), 0);
    for number in 1..=200 {
        let step = format!("s{number}");
        let head = written(1, &Entry::Head(Head::of(&speaker(&step), 1, 0)));
        kept.write(&format!("{step}.1.log"), &format!("{head}1970-01-01T00:00:00.000002Z out said\n"));
        reader.pass(&mut |_, _| seen += 1).unwrap();
        assert_eq!(seen, number);
    }
}

/// A process that was killed has written half of a line, or half of a character.
#[test]
fn a_torn_last_line_is_told_as_far_as_it_is_there() {
    let kept = Kept::new();
    let head = written(1, &Entry::Head(Head::of(&speaker("a"), 1, 0)));
    let whole =
        format!("{head}{}", "1970-01-01T00:00:00.000002Z out whole\n1970-01-01T00:00:00.000003Z out half");
    kept.write("a.1.log", &whole);
    assert_eq!(kept.told(), ["a Stdout whole", "a Stdout half"]);
    for length in 0..whole.len() {
        kept.write("a.1.log", &whole[..length]);
        assert!(kept.told().len() <= 2, "{length}");
    }
}

#[test]
fn a_damaged_line_is_counted_and_the_others_are_told() {
    let kept = Kept::new();
    let head = written(1, &Entry::Head(Head::of(&speaker("a"), 1, 0)));
    let garbage = "\u{0}".repeat(300_000);
    let lines = format!(
        "{head}1970-01-01T00:00:00.000002Z out one\nspoilt\n{garbage}\n1970-01-01T00:00:00.000002Z out two\n{}",
        written(9, &Entry::Ended(done()))
    );
    kept.write("a.1.log", &lines);
    assert_eq!(kept.told(), ["a Stdout one", "a Stdout two", "a damaged 3", "a ended Some(0)"]);
    // Whose log it is nobody knows then, and another's name is believed by nobody.
    kept.write("b.1.log", "spoilt\n");
    kept.write("c.1.log", &lines);
    assert_eq!(kept.told().len(), 4);
    // What a newer version wrote another way is its own matter.
    kept.write("a.1.log", &lines.replace("\"format\":1", "\"format\":2"));
    assert!(kept.told().is_empty());
}

/// Who keeps up misses nothing, however often the file is another; who comes late is told what is not there.
#[tokio::test]
async fn a_log_is_bounded_and_who_follows_it_misses_nothing() {
    let kept = Kept::new();
    let mut tap = kept.logs.tap(speaker("a"));
    let (mut reader, mut lines, mut other) = (kept.reader(), 0_u64, Vec::new());
    let text = "x".repeat(1_000);
    let mut count = |head: &Arc<Head>, told: Told| match told {
        Told::Line { text, .. } => {
            assert!(String::from_utf8(text).unwrap().starts_with(&format!("{lines} ")));
            lines += 1;
        }
        told => other.push(shown(head, told)),
    };
    let total = 3 * FILE_BYTES_MAX / 1_000;
    for block in 0..total / 100 {
        let said: String = (block * 100..(block + 1) * 100).map(|line| format!("{line} {text}\n")).collect();
        tap.say(Stream::Stderr, said.as_bytes());
        let written = block % 4 < 3;
        // As the thread that writes does, who reads takes several at once.
        if !written {
            wait_for_room(&kept.logs);
            reader.pass(&mut count).unwrap();
        }
    }
    tap.end(Timestamp(7), done(), None).await;
    reader.pass(&mut count).unwrap();
    assert_eq!((lines, other), (total / 100 * 100, vec!["a ended Some(0)".to_owned()]));
    for name in ["a.1.log", "a.1.log.old"] {
        let length = fs::metadata(kept.file(name)).unwrap().len();
        assert!(length <= FILE_BYTES_MAX, "{name} has {length}");
    }
    let told = kept.told();
    assert!(told[0].starts_with("a left out "), "{}", told[0]);
    assert!(told[told.len() - 2].starts_with(&format!("a Stderr {} ", lines - 1)));
    let left_out: u64 = told[0].rsplit(' ').next().unwrap().parse().unwrap();
    let said: usize = told[1..told.len() - 1].iter().map(|line| line.len() + 1 - "a Stderr ".len()).sum();
    let all: usize = (0..lines).map(|line| format!("{line} {text}\n").len()).sum();
    assert_eq!(left_out + said as u64, all as u64);
}

/// Waits until all that was said is written.
fn wait_for_room(logs: &Logs) {
    let deadline = Instant::now() + LONG;
    while !logs.keeper.as_ref().unwrap().is_idle() {
        assert!(Instant::now() < deadline);
        std::thread::yield_now();
    }
}

/// What comes faster than a disk takes it is left out, the oldest first: the end says what went wrong.
#[tokio::test]
async fn what_comes_too_fast_is_left_out_and_the_end_is_there() {
    const CHUNKS: usize = 400;
    let kept = Kept::new();
    let mut tap = kept.logs.tap(speaker("a"));
    let line = |number: usize| format!("{number:0>1023}\n");
    for chunk in 0..CHUNKS {
        let lines: String = (chunk * 64..(chunk + 1) * 64).map(line).collect();
        tap.say(Stream::Stderr, lines.as_bytes());
    }
    tap.end(Timestamp(7), done(), None).await;
    let told = kept.told();
    let number = |line: &String| line.strip_prefix("a Stderr ")?.parse::<usize>().ok();
    let left_out: u64 =
        told.iter().filter_map(|line| line.strip_prefix("a left out ")?.parse::<u64>().ok()).sum();
    assert!(left_out > 0, "the disk is faster than this: the test shows nothing");
    let lines = told.iter().filter_map(number).count();
    assert_eq!(left_out + 1024 * lines as u64, (CHUNKS * 64 * 1024) as u64);
    let last: Vec<usize> = told.iter().rev().skip(1).map_while(number).collect();
    assert!(last.len() >= 64, "{}", last.len());
    assert!(last.iter().rev().copied().eq(CHUNKS * 64 - last.len()..CHUNKS * 64));
}

#[tokio::test]
async fn a_log_that_cannot_be_written_holds_up_nobody_and_no_link_is_followed() {
    let kept = Kept::new();
    let elsewhere = kept.folder.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::create_dir_all(kept.runs().join("r")).unwrap();
    let logs = folder(&kept.runs(), &RunId::parse("r").unwrap());
    std::os::unix::fs::symlink(&elsewhere, logs).unwrap();
    let mut tap = kept.logs.tap(speaker("a"));
    tap.say(Stream::Stdout, b"said\n");
    let since = Instant::now();
    tap.end(Timestamp(7), done(), None).await;
    assert!(since.elapsed() < LONG);
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
    assert!(kept.reader().pass(&mut |_, told| panic!("{told:?}")).is_err());
}

#[tokio::test]
async fn a_log_that_is_a_link_is_replaced_and_not_read() {
    let kept = Kept::new();
    let secret = kept.folder.path().join("secret");
    let head = written(1, &Entry::Head(Head::of(&speaker("a"), 1, 0)));
    fs::write(&secret, format!("{head}1970-01-01T00:00:00.000002Z out secret\n")).unwrap();
    fs::create_dir_all(kept.file("")).unwrap();
    std::os::unix::fs::symlink(&secret, kept.file("a.1.log")).unwrap();
    assert!(kept.told().is_empty());
    let before = fs::read(&secret).unwrap();
    let mut tap = kept.logs.tap(speaker("a"));
    tap.say(Stream::Stdout, b"said\n");
    tap.end(Timestamp(7), done(), None).await;
    assert_eq!(fs::read(&secret).unwrap(), before);
    assert_eq!(kept.told(), ["a Stdout said", "a ended Some(0)"]);
}

/// A line that never ends is kept in pieces, and told in pieces.
#[tokio::test]
async fn a_line_that_never_ends_takes_no_memory() {
    let kept = Kept::new();
    let mut tap = kept.logs.tap(speaker("a"));
    for _ in 0..6 {
        tap.say(Stream::Stdout, &[b'z'; 50_000]);
    }
    tap.end(Timestamp(7), done(), None).await;
    let told = kept.told();
    let said: usize = told.iter().map(|line| line.matches('z').count()).sum();
    assert_eq!((said, told.len()), (300_000, 4), "{:?}", told.iter().map(String::len).collect::<Vec<_>>());
}
