//! The process group of an attempt: the program, and all that it started and that did not leave the group.

use rustix::process::{Pid, Signal, kill_process_group};

use super::proc;

/// A process group that may be signalled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Group(Pid);

impl Group {
    /// The group of that number; never the one of this process, nor 1, which to kill(2) means every process that
    /// there is.
    pub(super) fn new(number: Pid) -> Option<Self> {
        (number != Pid::INIT && Some(number) != proc::own_group()).then_some(Self(number))
    }

    /// Its number, which is its first process's.
    pub(super) fn number(self) -> Pid {
        self.0
    }

    /// The kernel gives a group's number to nobody else while one of its processes is left, its first one or another.
    pub(super) fn signal(self, signal: Signal) {
        // It fails when nobody is left, which is what is wanted.
        let _ = kill_process_group(self.0, signal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_processes_and_our_own_are_no_group_to_signal() {
        assert_eq!(Group::new(Pid::INIT), None);
        assert_eq!(proc::own_group().and_then(Group::new), None);
    }
}
