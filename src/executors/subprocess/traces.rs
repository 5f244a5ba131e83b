//! The traces by which the processes of an attempt are known: the program, all that it started, and all that those started,
//! also what left its group or its session, or cleared its environment.
//!
//! None is known by its number alone, which may be somebody else's by now. A process is an attempt's if one of these holds:
//!
//! - it is the program, or was seen to be the attempt's before: the number *and* the time of its start are those
//! - it is in the program's group, while that is proven to be the program's
//! - it was given the attempt's mark in its environment
//! - it holds an end of one of the pipes that were made for the program, where this process starts nothing by other ways
//! - its parent is the attempt's, or it is in a session that a process of the attempt began
//! - it came to this process as an orphan, and no other attempt can have started it

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions, getpid, pidfd_open, pidfd_send_signal, waitpid};
use serde::{Deserialize, Serialize};

use super::proc::{self, Process};
use crate::executors::children;

/// The variable by which a program and what it started can be told from all others. The idempotency key would not do:
/// runs of one name in two data folders share it.
pub(super) const MARK_VARIABLE: &str = "REENACT_MARK";

/// One process, for all times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Known {
    /// The number of the process.
    pub(super) pid: i32,
    /// When it started, in clock ticks since the machine did.
    pub(super) started_ticks: u64,
}

impl Known {
    fn of(process: &Process) -> Self {
        Self { pid: process.pid.as_raw_nonzero().get(), started_ticks: process.started_ticks }
    }

    fn is(self, process: &Process) -> bool {
        self == Self::of(process)
    }

    /// Signals it, if it still is what has that number. That it is gone is what is wanted.
    fn signal(self, signal: Signal) -> Result<(), Errno> {
        let Some(pid) = proc::pid(self.pid) else { return Ok(()) };
        // From here on the number is this process's, or nobody's.
        let process = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(process) => process,
            Err(_) => return Ok(()),
        };
        match proc::process(pid) {
            Some(now) if self.is(&now) => pidfd_send_signal(process, signal),
            _ => Ok(()),
        }
    }
}

/// The traces by which the processes of one attempt are known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Traces {
    /// The value that they have as [`MARK_VARIABLE`].
    pub(super) mark: String,
    /// The program, which is the first of its group; none in the moment before it is started.
    pub(super) leader: Option<Known>,
    /// When it was about to be started, in clock ticks since the machine was: nothing of it is older.
    #[serde(default)]
    pub(super) since: u64,
    /// The inodes of the pipes that were made for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) pipes: Vec<u64>,
    /// Of the others those that left the group, as far as they were seen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) strays: Vec<Known>,
    /// The session of the process that started it, which is nobody's own; 0 if that is one outside of this container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) session: Option<i32>,
}

/// All processes at one moment, and what this one has to do with them.
pub(super) struct Scan {
    all: Vec<Process>,
    /// The children that this process started; none if no orphans come to it.
    own: Option<HashSet<Pid>>,
    /// Never signalled: this process, those above it, and the first of all.
    spared: HashSet<Pid>,
    session: Option<Pid>,
}

impl Scan {
    /// Looks, and takes orphans off the kernel's list that have ended. None where there is no `/proc`. It blocks for as long
    /// as reading a small file of every process takes.
    pub(super) fn now() -> Option<Self> {
        children::undisturbed(|own| {
            let all: Vec<_> = proc::all()?.collect();
            let parents: HashMap<Pid, Pid> =
                all.iter().filter_map(|process| Some((process.pid, process.parent?))).collect();
            let this = getpid();
            let above = std::iter::successors(Some(this), |pid| parents.get(pid).copied());
            // A circle cannot be, but what is read is not read at once.
            let spared = above.take(all.len() + 1).chain([Pid::INIT]).collect();
            let session = all.iter().find(|process| process.pid == this).and_then(|this| this.session);
            let scan = Self { all, own: own.cloned(), spared, session };
            for orphan in scan.all.iter().filter(|process| process.ended && scan.is_orphan(process)) {
                // By its number only: others wait for theirs.
                let _ = waitpid(Some(orphan.pid), WaitOptions::NOHANG);
            }
            Some(scan)
        })
    }

    /// Keeps of these what lives.
    pub(super) fn keep_living(&self, known: &mut HashSet<Known>) {
        let living: HashSet<Known> = self.all.iter().map(Known::of).collect();
        known.retain(|known| living.contains(known));
    }

    /// Whether it came to this process because its parent has ended.
    fn is_orphan(&self, process: &Process) -> bool {
        let is_own = |own: &HashSet<Pid>| own.contains(&process.pid);
        process.parent == Some(getpid()) && self.own.as_ref().is_some_and(|own| !is_own(own))
    }
}

/// The claim that an attempt has on what is found.
#[derive(Debug, Clone, Copy)]
pub(super) enum Claim {
    /// That of an attempt which this process makes.
    AtWork {
        /// The moment, in clock ticks, from which on no other was at work, if there is one.
        alone_since: Option<u64>,
    },
    /// That of an attempt which was lost.
    Lost,
}

impl Claim {
    fn alone_since(self) -> Option<u64> {
        match self {
            Self::AtWork { alone_since } => alone_since,
            Self::Lost => None,
        }
    }
}

/// What was looked at and belongs to somebody else, so that it is not looked at again and again.
pub(super) type Strangers = HashSet<Known>;

impl Traces {
    /// The processes of the attempt that live.
    pub(super) fn find(&self, scan: &Scan, claim: Claim, strangers: &mut Strangers) -> Vec<Process> {
        let group = self.group(scan, claim);
        let mut ours: HashSet<Pid> = HashSet::new();
        let living: Vec<&Process> =
            scan.all.iter().filter(|process| self.may_be_ours(scan, process)).collect();
        for process in &living {
            let is_seen = self.leader.iter().chain(&self.strays).any(|known| known.is(process));
            let is_in_group = group.is_some() && process.group == group;
            // What an attempt of this process started is below its program, or has come here as an orphan.
            let may_be_marked =
                !matches!(claim, Claim::AtWork { .. }) || scan.own.is_none() || scan.is_orphan(process);
            if is_seen || is_in_group || (may_be_marked && self.is_marked(process, strangers)) {
                ours.insert(process.pid);
            }
        }
        self.add_related(scan, &living, &mut ours);
        if let Some(since) = claim.alone_since().filter(|_| children::are_of_attempts()) {
            // What came before is an earlier attempt's, or has started what came since.
            let is_left = |process: &&&Process| scan.is_orphan(process) && !ours.contains(&process.pid);
            let orphans: Vec<_> = living.iter().filter(is_left).collect();
            let all_left = scan.all.iter().filter(|process| !process.ended && scan.is_orphan(process));
            let none_before = all_left
                .filter(|process| !ours.contains(&process.pid))
                .all(|process| process.started_ticks >= since);
            if none_before && !orphans.is_empty() {
                ours.extend(orphans.iter().map(|process| process.pid));
                self.add_related(scan, &living, &mut ours);
            }
        }
        living.into_iter().filter(|process| ours.contains(&process.pid)).copied().collect()
    }

    /// Nothing of an attempt is older than its program.
    fn may_be_ours(&self, scan: &Scan, process: &Process) -> bool {
        let began = self.leader.map_or(self.since, |leader| leader.started_ticks);
        let is_own = scan.own.as_ref().is_some_and(|own| own.contains(&process.pid));
        let is_leader = self.leader.is_some_and(|leader| leader.is(process));
        !process.ended
            && process.started_ticks >= began
            && !scan.spared.contains(&process.pid)
            // What this process started is another attempt's, or serves no attempt.
            && (!is_own || is_leader)
    }

    /// The program's group, if that number is still the program's: it is there, or one of the group is proven otherwise. While
    /// this process waits for the attempt, nobody else can have got the number but who has it.
    fn group(&self, scan: &Scan, claim: Claim) -> Option<Pid> {
        let leader = self.leader?;
        let group = proc::pid(leader.pid)?;
        if let Claim::AtWork { .. } = claim {
            let is_another = scan.all.iter().any(|process| process.pid == group && !leader.is(process));
            return Some(group).filter(|_| !is_another);
        }
        let is_proof = |process: &Process| {
            let is_marked = || {
                process.group == Some(group)
                    && !process.ended
                    && proc::was_given(process.pid, MARK_VARIABLE, &self.mark)
            };
            leader.is(process) || is_marked()
        };
        scan.all.iter().any(is_proof).then_some(group)
    }

    fn is_marked(&self, process: &Process, strangers: &mut Strangers) -> bool {
        if self.mark.is_empty() || strangers.contains(&Known::of(process)) {
            return false;
        }
        let is_ours = proc::was_given(process.pid, MARK_VARIABLE, &self.mark)
            || (!self.pipes.is_empty() && proc::holds_pipe(process.pid, &self.pipes));
        if !is_ours {
            strangers.insert(Known::of(process));
        }
        is_ours
    }

    /// Adds what those started that are found already.
    fn add_related(&self, scan: &Scan, living: &[&Process], ours: &mut HashSet<Pid>) {
        loop {
            let is_ours = |process: &&&Process| ours.contains(&process.pid);
            let sessions = living.iter().filter(is_ours).filter_map(|process| process.session);
            // A session that this process, or the one that started the program, is in is shared with who knows whom.
            let of_others = |session: &Pid| {
                Some(*session) == scan.session || Some(session.as_raw_nonzero().get()) == self.session
            };
            let sessions: HashSet<Pid> = sessions.filter(|session| !of_others(session)).collect();
            let more = living.iter().filter(|process| !ours.contains(&process.pid));
            let more = more.filter(|process| {
                process.parent.is_some_and(|parent| ours.contains(&parent))
                    || (self.session.is_some()
                        && process.session.is_some_and(|session| sessions.contains(&session)))
            });
            let more: Vec<Pid> = more.map(|process| process.pid).collect();
            if more.is_empty() {
                return;
            }
            ours.extend(more);
        }
    }

    /// Those of what was found that left the program's group.
    pub(super) fn strays(&self, found: &[Process]) -> Vec<Known> {
        let group = self.leader.and_then(|leader| proc::pid(leader.pid));
        found.iter().filter(|process| process.group != group).map(Known::of).collect()
    }
}

/// How long the kernel gets to carry out a KILL. A process that lives on after that hangs in the kernel.
pub(super) const KILL_WAIT: Duration = Duration::from_secs(5);

/// What has been done so far to end an attempt.
#[derive(Debug, Default)]
pub(super) struct Ending {
    has_looked: bool,
    seen: HashSet<Known>,
    strangers: Strangers,
    /// What got its TERM or KILL.
    signalled: HashSet<(Known, i32)>,
    /// What may not be signalled: it became another user's, and is not waited for.
    out_of_reach: HashSet<Known>,
}

impl Ending {
    /// Signals what lives of the attempt, and answers how much of it has to be waited for. KILL is for all of it. TERM is for the
    /// program's group, once, so that what tidies up after it may start programs for that; and for what left the group and
    /// has no parent any more that was told, so that another runner of programs can end its own in order.
    pub(super) fn look(&mut self, traces: &Traces, scan: &Scan, claim: Claim, signal: Signal) -> usize {
        // What was found once is known from then on, also when what told whose it is has ended.
        let strays = traces.strays.iter().chain(&self.seen).copied().collect();
        let found = Traces { strays, ..traces.clone() }.find(scan, claim, &mut self.strangers);
        self.seen.extend(found.iter().map(Known::of));
        let pids: HashSet<Pid> = found.iter().map(|process| process.pid).collect();
        let group = traces.leader.and_then(|leader| proc::pid(leader.pid));
        let is_first = !std::mem::replace(&mut self.has_looked, true);
        let is_told = |process: &Process| match process.group == group {
            _ if signal == Signal::KILL => true,
            true => is_first,
            false => process.parent.is_none_or(|parent| !pids.contains(&parent)),
        };
        for process in found.iter().filter(|process| is_told(process)) {
            let one = Known::of(process);
            if self.signalled.insert((one, signal.as_raw())) && one.signal(signal) == Err(Errno::PERM) {
                tracing::warn!(pid = one.pid, "what an attempt left running is another user's, and goes on");
                self.out_of_reach.insert(one);
            }
        }
        found.iter().filter(|process| !self.out_of_reach.contains(&Known::of(process))).count()
    }
}
