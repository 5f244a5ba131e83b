//! What the kernel says of processes, from `/proc`; see proc(5). Where there is no `/proc`, nothing is known.

use std::fs::{self, File};
use std::io::Read;
use std::sync::OnceLock;

use rustix::process::Pid;
use rustix::time::{ClockId, clock_gettime};

/// A process as `/proc/PID/stat` describes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Process {
    /// Its number, which another process may have had before.
    pub(super) pid: Pid,
    /// Its parent; none if that is outside of this container.
    pub(super) parent: Option<Pid>,
    /// Its process group; none if that is one outside of this container.
    pub(super) group: Option<Pid>,
    /// Its session; none if that is one outside of this container.
    pub(super) session: Option<Pid>,
    /// When it started, in clock ticks since the machine did. With `pid` and [`boot`] this names one process for
    /// all times.
    pub(super) started_ticks: u64,
    /// Whether it has ended and only waits for its parent to look.
    pub(super) ended: bool,
}

/// The process number that this is. The kernel writes 0 for a group outside of this container, and -1 for that of a
/// process that is just going: neither is one, and to kill(2) -1 would mean every process.
pub(super) fn pid(number: i32) -> Option<Pid> {
    if number > 0 { Pid::from_raw(number) } else { None }
}

/// More than the line of any process: 52 numbers and a name of 15 bytes.
const STAT_BYTES_MAX: usize = 2048;

/// The process that has this number now.
pub(super) fn process(pid: Pid) -> Option<Process> {
    let mut stat = [0; STAT_BYTES_MAX];
    // The kernel writes the line at once, and all of it.
    let count = File::open(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?.read(&mut stat).ok()?;
    parse(pid, &String::from_utf8_lossy(stat.get(..count)?))
}

/// The group of this process. (getpgrp(2) would answer 0 for one outside of this container, and 0 is no [`Pid`].)
pub(super) fn own_group() -> Option<Pid> {
    this()?.group
}

/// This process, which never changes its group or its session.
fn this() -> Option<&'static Process> {
    static THIS: OnceLock<Option<Process>> = OnceLock::new();
    THIS.get_or_init(|| process(rustix::process::getpid())).as_ref()
}

/// The number of this process's session; 0 if that is one outside of this container.
pub(super) fn own_session() -> i32 {
    this().and_then(|this| this.session).map_or(0, |session| session.as_raw_nonzero().get())
}

/// Whether anything is known of processes.
pub(super) fn is_there() -> bool {
    this().is_some()
}

/// All processes; none if they cannot be listed.
pub(super) fn all() -> Option<impl Iterator<Item = Process>> {
    let entries = fs::read_dir("/proc").ok()?;
    Some(entries.flatten().filter_map(|entry| process(pid(entry.file_name().to_str()?.parse().ok()?)?)))
}

/// Whether the process was started with this in its environment; false where that may not be read.
pub(super) fn was_given(pid: Pid, name: &str, value: &str) -> bool {
    let entry = format!("{name}={value}");
    fs::read(format!("/proc/{}/environ", pid.as_raw_nonzero()))
        .is_ok_and(|environment| environment.split(|byte| *byte == 0).any(|given| given == entry.as_bytes()))
}

/// Whether the process holds an end of one of these pipes, which are known by their inodes; false where that may not be
/// read.
pub(super) fn holds_pipe(pid: Pid, pipes: &[u64]) -> bool {
    let Ok(open) = fs::read_dir(format!("/proc/{}/fd", pid.as_raw_nonzero())) else { return false };
    let mut links = open.flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
    links.any(|link| {
        let inode =
            link.to_str().and_then(|text| text.strip_prefix("pipe:[")?.strip_suffix(']')?.parse().ok());
        inode.is_some_and(|inode: u64| pipes.contains(&inode))
    })
}

/// Names this start of the machine.
pub(super) fn boot() -> &'static str {
    static BOOT: OnceLock<String> = OnceLock::new();
    BOOT.get_or_init(|| {
        let id = fs::read_to_string("/proc/sys/kernel/random/boot_id");
        id.map(|id| id.trim().to_owned()).unwrap_or_default()
    })
}

/// How many of the ticks, in which the kernel says when a process started, are in a second, on every machine.
const TICKS_PER_SECOND: u64 = 100;

/// Now, in clock ticks since the machine started.
pub(super) fn now_ticks() -> u64 {
    let now = clock_gettime(ClockId::Boottime);
    let part = u64::try_from(now.tv_nsec).unwrap_or_default() / (1_000_000_000 / TICKS_PER_SECOND);
    u64::try_from(now.tv_sec).unwrap_or_default() * TICKS_PER_SECOND + part
}

/// `PID (NAME) STATE PARENT GROUP SESSION …`; the name may hold spaces and parentheses, the start is the 22nd field.
fn parse(pid: Pid, stat: &str) -> Option<Process> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = fields.split_ascii_whitespace().take(20).collect();
    let number = |at: usize| fields.get(at)?.parse().ok();
    Some(Process {
        pid,
        parent: self::pid(number(1)?),
        group: self::pid(number(2)?),
        session: self::pid(number(3)?),
        started_ticks: fields.get(19)?.parse().ok()?,
        ended: matches!(*fields.first()?, "Z" | "X" | "x"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let stat = "7 (a) Z 1) S 1 42 41 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 1 2";
        let pid = Pid::from_raw(7).unwrap();
        let (group, session) = (Pid::from_raw(42), Pid::from_raw(41));
        let expected =
            Process { pid, parent: Some(Pid::INIT), group, session, started_ticks: 987_654, ended: false };
        assert_eq!(parse(pid, stat), Some(expected));
    }

    /// A kill loop met a process that was just going: its group was -1, and reading that ended the attempt.
    #[test]
    fn a_process_that_is_going_is_in_no_group() {
        let own = Pid::from_raw(7).unwrap();
        for group in ["-1", "0"] {
            let stat = format!("7 (a) X 0 {group} -1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 1 2");
            assert_eq!(parse(own, &stat).unwrap().group, None);
        }
    }

    #[test]
    fn this_process_is_among_all() {
        let own = rustix::process::getpid();
        assert!(all().unwrap().any(|process| process.pid == own && !process.ended));
        assert!(!was_given(own, "REENACT_NO_SUCH_VARIABLE", ""));
    }

    /// Both clocks have to be the same, or what is new would be taken for old.
    #[test]
    fn a_process_that_starts_now_started_now() {
        let before = now_ticks();
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let started = process(Pid::from_child(&child)).unwrap().started_ticks;
        child.kill().unwrap();
        child.wait().unwrap();
        assert!((before..=now_ticks()).contains(&started), "{before} {started} {}", now_ticks());
    }
}
