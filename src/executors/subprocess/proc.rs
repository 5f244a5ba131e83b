//! What the kernel says of processes, from `/proc`; see proc(5). Where there is no `/proc`, nothing is known.

use std::fs;

use rustix::process::Pid;

/// A process as `/proc/PID/stat` describes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Process {
    /// Its number, which another process may have had before.
    pub(super) pid: Pid,
    /// Its process group; none if that is one outside of this container.
    pub(super) group: Option<Pid>,
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

/// The process that has this number now.
pub(super) fn process(pid: Pid) -> Option<Process> {
    let stat = fs::read(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    parse(pid, &String::from_utf8_lossy(&stat))
}

/// The group of this process. (getpgrp(2) would answer 0 for one outside of this container, and 0 is no [`Pid`].)
pub(super) fn own_group() -> Option<Pid> {
    process(rustix::process::getpid())?.group
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

/// Names this start of the machine.
pub(super) fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|id| id.trim().to_owned()).unwrap_or_default()
}

/// `PID (NAME) STATE PARENT GROUP …`; the name may hold spaces and parentheses, the start is the 22nd field.
fn parse(pid: Pid, stat: &str) -> Option<Process> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
    Some(Process {
        pid,
        group: self::pid(fields.get(2)?.parse().ok()?),
        started_ticks: fields.get(19)?.parse().ok()?,
        ended: matches!(*fields.first()?, "Z" | "X" | "x"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let stat = "7 (a) Z 1) S 1 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 1 2";
        let pid = Pid::from_raw(7).unwrap();
        let expected = Process { pid, group: Pid::from_raw(42), started_ticks: 987_654, ended: false };
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
}
