//! Deciding the inputs that wait, and what follows from that.

use super::*;
use crate::events::codec::CodecError;
use crate::events::commit::{Header, Sealing};
use crate::events::decision::{Decision, RecordedCommand};
use crate::events::ids::CommandId;
use crate::events::limits::COMMIT_BYTES_FULL;
use crate::kernel::aggregate::{Decided, Draft, Grants, Recording};
use crate::kernel::moment::Moment;

/// How many commands at most are decided in one commit. It is full sooner if they
/// are long: see [`COMMIT_BYTES_FULL`].
const DECIDED_AT_ONCE: usize = 256;

/// What is shown once a commit is durable.
#[derive(Clone)]
pub(super) struct Round<A: Aggregate, R> {
    changes: EffectChanges<A::Effect>,
    pub(super) answers: PendingReplies<R>,
    /// The other streams that ask for something.
    asked_by: Vec<StreamId>,
    /// The ids of the commands that the commit answers.
    ids: Vec<CommandId>,
    head: Head,
}

/// A state that is ahead of the store, and what is shown once it is not.
pub(super) type Pending<A, R> = (Box<Fold<A>>, Round<A, R>);

/// An answer that is given once a commit is durable.
#[derive(Clone)]
pub(super) struct PendingReply<R> {
    to: R,
    result: Result<(), Problem>,
    /// The version with which the command was answered before, if it was: that holds even if the
    /// commit is not stored.
    before: Option<Version>,
}

pub(super) type PendingReplies<R> = Vec<PendingReply<R>>;

/// The result of one round of deciding.
struct Draw<A: Aggregate, R> {
    decided: Decided<A>,
    /// The commit with the events that were decided.
    sealing: Sealing,
    answers: PendingReplies<R>,
    /// The other streams that ask for something.
    asked_by: Vec<StreamId>,
    ids: Vec<CommandId>,
    /// Whether it goes on by itself from here on.
    begins: bool,
    /// Whether what begins it was given nothing to use: it may not be able to go on here.
    withheld: bool,
    /// Why nothing of it may be stored.
    broken: Option<Problem>,
}

impl<A: Aggregate, R> HostCore<A, R> {
    /// Whether something waits to be decided, and can be.
    pub fn wants_to_decide(&self) -> bool {
        matches!(self.phase, Phase::Ready(_)) && (self.driving.is_asked() || !self.inbox.is_empty())
    }

    /// Decides all inputs that wait, as many as go into one commit. All outputs so far must
    /// have been carried out.
    pub fn decide(&mut self, environment: &mut impl Environment<A>) {
        if !self.wants_to_decide() {
            return;
        }
        if self.driving.is_asked() {
            return self.begin_driving(environment);
        }
        let Phase::Ready(mut fold) = std::mem::replace(&mut self.phase, Phase::Loading) else { return };
        let loses = self.inbox.iter().take(DECIDED_AT_ONCE).any(Waiting::loses);
        if loses && self.performers.has_orphans() {
            self.outputs.push_back(Output::Clear(self.performers.take_orphans()));
            self.phase = Phase::Clearing(fold);
            return;
        }
        let now = environment.now();
        let draw = self.draw(&mut fold, now, environment);
        if let Some(problem) = draw.broken {
            environment.take_back();
            self.refuse(draw.answers, &problem);
            return self.park(problem);
        }
        if draw.begins {
            self.begin(fold.head.version > Version(0) || draw.withheld, now.steady);
        }
        let Draw { decided: Decided { blobs, changes, .. }, sealing, answers, asked_by, ids, .. } = draw;
        if sealing.count() == 0 {
            let version = fold.head.version;
            self.phase = Phase::Ready(fold);
            self.when_ready(now);
            self.tell_again(&asked_by);
            return self.answer(answers, version);
        }
        let commit = sealing.finish();
        commit.events.iter().for_each(|event| fold.tail.grow(event.payload.len()));
        let head = Head { version: commit.last(), hash: commit.last_hash() };
        if fold.head.version == Version(0) {
            fold.correlation.clone_from(&commit.header.correlation);
        }
        self.outputs.push_back(Output::Append { commit, blobs });
        self.phase = Phase::Appending(fold, Round { changes, answers, asked_by, ids, head });
    }

    /// It goes on by itself from here on: at once if this is its first commit, and else as whoever takes it over does.
    fn begin(&mut self, later: bool, since: Timestamp) {
        if later {
            if self.driving.ask(Residency::Pinned) {
                self.driven_since = since;
            }
        } else if self.driving.begin_with(Residency::Pinned) {
            self.driven_since = since;
            self.outputs.push_back(Output::Driven(true));
        }
    }

    fn draw(&mut self, fold: &mut Fold<A>, now: Now, environment: &mut impl Environment<A>) -> Draw<A, R> {
        let blobs = environment.blobs();
        let header = self.header(fold, now.steady);
        let (causation, correlation) = (Arc::clone(&header.causation), header.correlation.clone());
        let mut sealing = Sealing::new(header, fold.head.hash);
        let (mut ids, answered) = (Vec::new(), &fold.answered);
        let (mut answers, mut asked_by) = (Vec::new(), Vec::new());
        let (mut begins, mut withheld, mut broken, mut count, mut seen) = (false, false, None, 0, 0);
        let mut draft = Draft::new(&mut fold.state, &self.stream, fold.head.version, now.steady);
        while count < DECIDED_AT_ONCE && sealing.size_bytes() < COMMIT_BYTES_FULL && broken.is_none() {
            let Some(waiting) = self.inbox.pop_front() else { break };
            count += 1;
            if let Waiting::Due(effect) = &waiting
                && let Lasts::Until(deadline) = effect.lasts()
                && !deadline.has_come(now)
            {
                // The wall clock was set back meanwhile: it is waited on.
                self.timers.add(deadline, effect.clone());
                continue;
            }
            let Some(asked) = queued_command(waiting, &self.performers, draft.opened()) else { continue };
            let QueuedCommand { command, mut envelope, drives, reply } = asked;
            let from = envelope.asked_by().cloned();
            let before = envelope.id.as_ref().and_then(|id| answered.version(id));
            if before.is_some() || envelope.id.is_some_and(|id| ids.contains(&id)) {
                asked_by.extend(from);
                answers.extend(reply.map(|to| PendingReply { to, result: Ok(()), before }));
                continue;
            }
            let is_driven =
                self.driving.is_driven() || begins || drives && environment.may_drive(draft.state()).is_ok();
            let fresh = draft.opened().get(seen..).unwrap_or_default();
            let grants = if is_driven { environment.grant(draft.state(), &command, fresh) } else { None };
            seen = draft.opened().len();
            let emitted = draft.emitted();
            let (seed, grants, driven_since) =
                (environment.seed(), grants.as_ref(), self.since_driven(now.steady));
            let moment =
                Moment { now: now.steady, wall: now.wall, blobs: &*blobs, seed, grants, driven_since };
            withheld |= drives && grants.is_none();
            let recorded = command.clone();
            let result = A::decide(&mut draft, command, &moment).map_err(|rejection| {
                let problem = A::problem(&rejection);
                if draft.emitted() > emitted || A::is_fatal(&rejection) {
                    broken.get_or_insert(problem.clone());
                }
                problem
            });
            begins |= drives && result.is_ok() && draft.emitted() > emitted;
            asked_by.extend(from.filter(|_| result.is_ok()));
            answers.extend(reply.map(|to| PendingReply { to, result, before }));
            if draft.emitted() == emitted {
                continue;
            }
            ids.extend(envelope.id);
            envelope.correlation = envelope.correlation.filter(|root| self.is_news(root, &correlation));
            let decision = record(&mut draft, emitted, (&causation, recorded), envelope, &moment);
            let fresh = draft.events().get(emitted..).unwrap_or_default();
            if let Err(error) = decision.and_then(|decision| sealing.add(decision, fresh)) {
                let why = format!("what follows from that cannot be stored: {error}");
                broken.get_or_insert_with(|| Problem::new(Code::CommitRefused, why));
            }
        }
        let decided = draft.finish();
        if let Some(illegal) = &decided.illegal {
            broken = Some(Problem::new(Code::Impossible, format!("an illegal decision: {illegal}")));
        }
        Draw { decided, sealing, answers, asked_by, ids, begins, withheld, broken }
    }

    /// The time since which somebody drives it; `now` if nobody does.
    fn since_driven(&self, now: Timestamp) -> Timestamp {
        if self.driving.is_driven() { self.driven_since } else { now }
    }

    /// Whether a root run differs from the one in the header and from the stream's own run.
    fn is_news(&self, root: &Arc<str>, header: &Option<Arc<str>>) -> bool {
        Some(root) != header.as_ref() && self.stream.parts().is_none_or(|(_, own)| **root != *own)
    }

    /// The header of the commit that answers the waiting inputs. Its causation is the name of the one that
    /// waited longest; its root run, in the first commit of a stream, comes with that one.
    fn header(&self, fold: &Fold<A>, now: Timestamp) -> Header {
        let first = self.inbox.front();
        let causation = first.map(|first| match first {
            Waiting::Command { command, .. } => A::name(command),
            Waiting::Recover { .. } => A::name(&A::recover(&mut std::iter::empty())),
            Waiting::Due(effect) => A::due(effect).map_or("", |command| A::name(&command)),
        });
        let correlation = match first {
            Some(Waiting::Command { envelope, .. }) if fold.head.version == Version(0) => {
                envelope.correlation.clone()
            }
            _ => fold.correlation.clone(),
        };
        Header {
            stream: self.stream.clone(),
            first: fold.head.version.next(),
            recorded_at: now,
            correlation,
            causation: causation.unwrap_or_default().into(),
            code_version: env!("CARGO_PKG_VERSION").into(),
            origin: None,
        }
    }

    pub(super) fn appended(&mut self, now: Now) {
        let Some((mut fold, round)) = self.stop_appending() else { return };
        let Round { changes, answers, asked_by, ids, head } = round;
        fold.head = head;
        ids.into_iter().for_each(|id| fold.answered.add(id, head.version));
        self.phase = Phase::Ready(fold);
        self.show(changes);
        self.when_ready(now);
        self.tell_again(&asked_by);
        self.answer(answers, head.version);
        self.take_snapshot();
    }

    /// Puts out what follows from effects that were opened and closed.
    fn show(&mut self, mut changes: EffectChanges<A::Effect>) {
        let open: Vec<A::Effect> = changes.still_open().cloned().collect();
        for effect in changes.take_closed() {
            let given_up = self.performers.close(&effect);
            self.outputs.push_back(Output::Close { effect, given_up });
        }
        for effect in open {
            match effect.lasts() {
                Lasts::Hint | Lasts::Elsewhere => continue,
                Lasts::Answer if !self.driving.is_driven() => {
                    self.performers.nowhere(effect);
                    continue;
                }
                Lasts::Until(deadline) => {
                    // Only timers need a driver. What is recorded as started is made, and what is to
                    // be stopped is stopped, even if the driver let go of the stream while the
                    // commit was being stored.
                    if self.driving.is_driven() {
                        self.timers.add(deadline, effect);
                    }
                    continue;
                }
                Lasts::Told => {}
                Lasts::Process | Lasts::Answer => self.performers.here(effect.clone()),
            }
            self.perform(effect);
        }
    }

    /// Sends again what it has to say to streams that ask: it may have been lost when it was sent before.
    fn tell_again(&mut self, asked_by: &[StreamId]) {
        let Phase::Ready(fold) = &self.phase else { return };
        if asked_by.is_empty() {
            return;
        }
        let is_for_them = |effect: &A::Effect| {
            effect.lasts() == Lasts::Told
                && fold.state.message(effect).is_some_and(|message| asked_by.contains(&message.to))
        };
        let told: Vec<A::Effect> = fold.state.open().into_iter().filter(is_for_them).collect();
        told.into_iter().for_each(|effect| self.perform(effect));
    }

    /// Takes the state and the round of the commit that was being stored, if there was one; a
    /// phase that began in between (parked) stays. The state has to be loaded then, unless the
    /// caller begins another phase.
    pub(super) fn stop_appending(&mut self) -> Option<Pending<A, R>> {
        match std::mem::replace(&mut self.phase, Phase::Loading) {
            Phase::Appending(fold, round) => Some((fold, round)),
            other => {
                self.phase = other;
                None
            }
        }
    }

    pub(super) fn conflict(&mut self, problem: &Problem) {
        if let Some((_, round)) = self.stop_appending() {
            self.refuse(round.answers, problem);
            self.outputs.push_back(Output::Load);
        }
    }

    pub(super) fn failed(&mut self, problem: Problem) {
        if matches!(self.phase, Phase::Appending(..)) {
            self.park(problem);
        }
    }

    pub(super) fn cleared(&mut self) {
        match std::mem::replace(&mut self.phase, Phase::Loading) {
            Phase::Clearing(fold) => self.phase = Phase::Ready(fold),
            other => self.phase = other,
        }
    }

    fn answer(&mut self, answers: PendingReplies<R>, version: Version) {
        let replies = answers.into_iter().map(|PendingReply { to, result, before }| Output::Reply {
            to,
            result: result.map(|()| before.unwrap_or(version)),
        });
        self.outputs.extend(replies);
    }

    pub(super) fn refuse(&mut self, answers: PendingReplies<R>, problem: &Problem) {
        let replies = answers.into_iter().map(|PendingReply { to, before, .. }| Output::Reply {
            to,
            result: before.ok_or_else(|| problem.clone()),
        });
        self.outputs.extend(replies);
    }

    /// Saves the state if that is due and the last snapshot is saved. Only the encoding is done here, at the
    /// speed of memory, after all answers are given; no commit waits for the rest.
    fn take_snapshot(&mut self) {
        let Phase::Ready(fold) = &mut self.phase else { return };
        if self.saving || !fold.tail.is_long() {
            return;
        }
        // A state that is too large goes on without a snapshot.
        let bytes = fold.snapshot().ok();
        fold.tail = Tail::after(bytes.as_ref().map_or(0, Vec::len));
        if let Some(bytes) = bytes {
            self.saving = true;
            self.outputs.push_back(Output::Snapshot { head: fold.head, bytes });
        }
    }
}

/// A command to decide, with what came along with it.
struct QueuedCommand<A: Aggregate, R> {
    command: A::Command,
    envelope: Envelope,
    /// Whether the aggregate goes on by itself from this command on.
    drives: bool,
    /// The address of the answer, if one is wanted.
    reply: Option<R>,
}

impl<A: Aggregate, R> QueuedCommand<A, R> {
    /// A command that nobody outside asked for.
    fn within(command: A::Command, reply: Option<R>) -> Self {
        Self { command, envelope: Envelope::default(), drives: false, reply }
    }
}

/// The command to decide for an input that waits; none if nothing follows from it.
fn queued_command<A: Aggregate, R>(
    waiting: Waiting<A, R>,
    performers: &Performers<A::Effect>,
    opened: &[A::Effect],
) -> Option<QueuedCommand<A, R>> {
    match waiting {
        Waiting::Command { command, envelope, drives, reply } => {
            Some(QueuedCommand { command, envelope, drives, reply })
        }
        Waiting::Recover { reply } => {
            // Effects opened by earlier commands of this commit are performed when the commit is durable.
            let starting: Vec<_> = opened.iter().filter(|effect| lasts(*effect)).map(Effect::id).collect();
            Some(QueuedCommand::within(A::recover(&mut performers.kept().chain(&starting)), reply))
        }
        Waiting::Due(effect) => A::due(&effect).map(|command| QueuedCommand::within(command, None)),
    }
}

/// The record of a decision, whose events are those of the draft from index `before` on.
fn record<A: Aggregate>(
    draft: &mut Draft<'_, A>,
    before: usize,
    (header, command): (&Arc<str>, A::Command),
    envelope: Envelope,
    moment: &Moment<'_, A::Grants>,
) -> Result<Decision, CodecError> {
    let (name, by) = (A::name(&command), A::asked_by(&command));
    // Most commits have one decision, and share its name.
    let name = if *name == **header { Arc::clone(header) } else { name.into() };
    let mut recording = Recording::new(draft, before);
    let form = A::record(command, &mut recording)?;
    let Envelope { id, causation, correlation, .. } = envelope;
    Ok(Decision {
        command: RecordedCommand { name, form },
        id,
        seed: moment.seed,
        wall_ahead_us: moment.wall_ahead_us(),
        driven_us: moment.driven_us(),
        grants: moment.grants.map(Grants::record),
        by,
        causation,
        correlation,
        blobs: recording.into_blobs(),
    })
}

fn lasts(effect: &impl Effect) -> bool {
    matches!(effect.lasts(), Lasts::Process | Lasts::Answer)
}
