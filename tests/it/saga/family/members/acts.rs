//! What may happen next in a family, and what comes of it.

use super::*;

impl Family {
    /// What waits for a slot.
    pub(super) fn goes(&self) -> Option<Act> {
        let waits = |stream: &StreamId, host: &Host| {
            let version = host.head().version;
            host.is_driven()
                && self.idle.get(stream) != Some(&version)
                && !host.state().startable(&Ask::Go).0.is_empty()
        };
        let mut waiting = self.hosts().filter(|(stream, host)| waits(stream, host));
        waiting.next().map(|(stream, _)| Act::Go(stream.clone()))
    }

    /// An attempt that was told to stop.
    pub(super) fn stops(&self) -> Option<Act> {
        let mut attempts = self.in_flight().into_iter();
        let stopping = attempts.find(|(stream, attempt)| self.is_stopping(stream, attempt.fence));
        stopping.map(|(stream, attempt)| Act::Stop(stream, attempt))
    }

    /// Attempts that can be made.
    pub(super) fn attempts(&self) -> Vec<(StreamId, Arc<AttemptStarted>)> {
        let attempts = self.in_flight().into_iter();
        attempts.filter(|(stream, attempt)| !self.is_stopping(stream, attempt.fence)).collect()
    }

    fn in_flight(&self) -> Vec<(StreamId, Arc<AttemptStarted>)> {
        let attempts = self.hosts().flat_map(|(stream, host)| {
            host.performs().filter_map(|effect| match effect {
                RunEffect::Attempt(attempt) => Some((stream.clone(), Arc::clone(attempt))),
                _ => None,
            })
        });
        let mut attempts: Vec<_> = attempts.collect();
        attempts.sort_by_key(|(stream, attempt)| (stream.clone(), attempt.fence));
        attempts
    }

    fn is_stopping(&self, stream: &StreamId, fence: Fence) -> bool {
        let Some(host) = self.host(stream) else { return false };
        let stop = host.began(&RunEffectId::Stop(fence));
        stop.is_some() && stop > host.began(&RunEffectId::Attempt(fence))
    }

    /// What people say who are asked.
    pub(super) fn answers(&self) -> Option<Act> {
        self.hosts().find_map(|(stream, host)| {
            let ask = host.open().find_map(|effect| match effect {
                RunEffect::Ask { request, .. } => Some(self.answer(request.to_string())),
                _ => None,
            });
            let is_ignored = self.story.ignores_first && self.born.get(1) == Some(stream);
            let waits = host.state().status() == RunStatus::Waiting && !is_ignored;
            let ask = ask.or_else(|| Some(signal()).filter(|_| waits && awaits_signal(host)));
            ask.map(|ask| Act::Say(stream.clone(), ask))
        })
    }

    fn answer(&self, request: String) -> Ask {
        if self.story.grants {
            return Ask::Approve { request, by: "ada".into(), note: None, edits: None, hash: None };
        }
        Ask::Reject { request, by: "ada".into(), reason: "no".to_owned() }
    }

    /// Who has something to do, and is driven by nobody.
    pub(super) fn left_alone(&self) -> Option<Act> {
        let is_alone = |stream: &StreamId, host: &Host| {
            let attention = host.state().attention();
            let has_to_act = match self.drives {
                Drives::All => attention.own == Own::Now,
                Drives::Nobody => false,
                _ => *stream == self.root && !attention.is_at_rest() && self.takes_over.is_empty(),
            };
            has_to_act && !host.is_driven()
        };
        let mut alone = self.hosts().filter(|(stream, host)| is_alone(stream, host));
        alone.next().map(|(stream, _)| Act::Drive(stream.clone(), self.residency()))
    }

    /// The next moment at which anything follows.
    pub(super) fn timers(&self) -> Option<Act> {
        let due = self.hosts().filter_map(|(stream, host)| {
            let may_be_driven = match self.drives {
                Drives::All => true,
                Drives::Nobody => false,
                Drives::Root | Drives::YoungestFirst => *stream == self.root,
            };
            let is_left = may_be_driven && !self.is_over(stream);
            let due = match host.is_driven() {
                true => host.wakes_at(),
                false if is_left => host.state().attention().due(),
                false => Due::NEVER,
            };
            // Nobody sets a clock here: both show the same.
            Some((due.steady.into_iter().chain(due.wall).min()?, stream))
        });
        due.min().map(|(at, stream)| Act::Wake(stream.clone(), at))
    }

    pub(super) fn carry_out(&mut self, act: &Act) -> Result<(), String> {
        match act {
            Act::Ask(workflow, ask) => {
                let run = self.runs_of(workflow).next().map(|host| host.stream().clone());
                let drives = matches!(ask, Ask::Start(_));
                self.must(&run.unwrap_or_else(|| self.root.clone()), ask.clone(), drives)
            }
            Act::Say(stream, ask) => self.must(stream, ask.clone(), false),
            Act::Drive(stream, residency) => {
                self.takes_over.retain(|other| other != stream);
                self.with(stream, |host| host.drive(*residency))
            }
            Act::Deliver(place) => {
                let mail = self.post.take(*place);
                self.deliver(mail)
            }
            Act::Make(stream, attempt) => self.make(stream, attempt),
            Act::Stop(stream, attempt) => {
                self.report(stream, attempt, Err(Failure::stopped(Stop::Cancelled)))
            }
            Act::Go(stream) => {
                let before = self.host(stream).map(|host| host.head().version);
                self.must(stream, Ask::Go, false)?;
                let after = self.host(stream).map(|host| host.head().version);
                if let Some(version) = after.filter(|_| after == before) {
                    self.idle.insert(stream.clone(), version);
                }
                Ok(())
            }
            Act::Wake(stream, at) => {
                self.now = self.now.max(*at);
                let residency = self.residency();
                self.with(stream, |host| if host.is_driven() { host.wake() } else { host.drive(residency) })
            }
        }
    }

    fn make(&mut self, stream: &StreamId, attempt: &Arc<AttemptStarted>) -> Result<(), String> {
        let Some(host) = self.host(stream) else { return Ok(()) };
        let task = Task::of(host.state(), attempt, &*host.blobs()).map_err(|problem| problem.message)?;
        let workflow = host.state().about().map(|about| about.started.workflow.clone()).unwrap_or_default();
        let result = self.world.attempt(&workflow, &task);
        if let Some((step, held)) = self.world.held.iter().find(|(_, held)| held.len() > 1) {
            return Err(format!("{step:?} is done by {held:?} at once"));
        }
        self.report(stream, attempt, result)
    }

    fn report(
        &mut self,
        stream: &StreamId,
        attempt: &Arc<AttemptStarted>,
        result: Result<Output, Failure>,
    ) -> Result<(), String> {
        self.now = self.now.after(TICK);
        let (step, fence) = (attempt.step.clone(), attempt.fence);
        let told = match result {
            Ok(output) => Ask::Completed { step, fence, output },
            Err(failure) => Ask::Failed { step, fence, failure },
        };
        self.with(stream, |host| host.settle(&RunEffectId::Attempt(fence), Some(told)))
    }

    /// Asks what is not refused.
    fn must(&mut self, stream: &StreamId, ask: Ask, drives: bool) -> Result<(), String> {
        match self.with(stream, |host| host.ask(ask, drives))? {
            Some(Err(problem)) => Err(format!("that is refused: {problem}")),
            _ => Ok(()),
        }
    }

    /// What is on its way arrives.
    pub(super) fn deliver(&mut self, mail: Mail) -> Result<(), String> {
        let (from, Saying { effect, message, drives }) = match mail {
            Mail::Letter { from, saying, .. } => (from, saying),
            // Whoever has asked may not wait for it any more.
            Mail::Answer { to, command } => {
                return self.with(&to, |host| host.hear(command, false, None, None)).map(drop);
            }
        };
        let Some(sender) = self.host(&from) else { return Ok(()) };
        let lasts = effect.lasts() == Lasts::Answer;
        if self.habits.withdraws && lasts && !sender.performs().any(|performed| *performed == effect) {
            return Ok(());
        }
        let answer = match (message.write)(&*sender.blobs()) {
            Ok(said) => {
                let command = said.command::<Ask>().ok_or("no run hears that")?;
                let from = message.asks.then(|| from.clone());
                self.with(&message.to, |host| hear(host, command, drives, from))?
            }
            Err(problem) => Some(Err(problem)),
        };
        // The process may have died first.
        let Some(answer) = answer else { return Ok(()) };
        let problem = answer.as_ref().err().map(ToString::to_string);
        let is_answered = message.asks || message.insists;
        match (is_answered.then(|| <Run as Aggregate>::answered(&effect, answer)).flatten(), problem) {
            (Some(command), _) => self.post.post(Mail::Answer { to: from, command }, self.habits),
            (None, Some(problem)) if lasts || message.insists => {
                return Err(format!("{effect:?} has no answer: {problem}"));
            }
            (None, _) => {}
        }
        Ok(())
    }

    /// Something happens to a run.
    fn with<T>(
        &mut self,
        stream: &StreamId,
        act: impl FnOnce(&mut Host) -> Result<T, Broken>,
    ) -> Result<T, String> {
        let member = self.members.entry(stream.clone()).or_insert_with(|| Member {
            host: Hosted::new(stream.clone(), Slots::default(), self.now),
            life: 0,
        });
        member.host.now = self.now;
        if let Some(nth) = self.dies_before.take() {
            member.host.die_before(nth);
        }
        let was_active = member.host.is_active();
        let result = act(&mut member.host).map_err(|broken| format!("{stream}: {broken}"))?;
        let life = member.life;
        for saying in member.host.take_said() {
            self.post.post(Mail::Letter { from: stream.clone(), life, saying }, self.habits);
        }
        member.life += u32::from(was_active && !member.host.is_active());
        if member.host.state().about().is_some() && !self.born.contains(stream) {
            self.born.push(stream.clone());
        }
        let history = member.host.history();
        self.audit.read(stream, history).map_err(|why| format!("{stream}: {why}"))?;
        Ok(result)
    }

    /// A run waits as soon as all it does is that a child of it does, and no longer.
    pub(super) fn check_waiting(&self) -> Result<(), String> {
        if !self.takes_over.is_empty() || !self.post.is_empty() {
            return Ok(());
        }
        for (stream, host) in self.hosts().filter(|(stream, _)| !self.is_over(stream)) {
            let is_waiting = host.state().status() == RunStatus::Waiting;
            let attempts =
                |effect: &RunEffect| matches!(effect, RunEffect::Attempt(_) | RunEffect::Start { .. });
            let children: Vec<_> =
                host.state().open_children().map(|(run, _)| StreamId::of_run(run)).collect();
            let waits = |child: &StreamId| {
                self.host(child).is_some_and(|host| host.state().status() == RunStatus::Waiting)
            };
            if children.is_empty() || host.open().any(attempts) {
                continue;
            }
            if children.iter().all(waits) != is_waiting {
                return Err(format!(
                    "{stream} is {}, and so are not its children",
                    host.state().status().text()
                ));
            }
        }
        Ok(())
    }

    /// What is wrong, and all that happened.
    pub(in super::super) fn tell(&self, why: &str) -> String {
        let acts: String = self.acts.iter().map(|act| format!("  {act}\n")).collect();
        let hosts = self.hosts().map(|(stream, host)| {
            format!("{stream} is {}:\n{}", host.state().status().text(), words(host.history()))
        });
        format!("{why}\n{acts}{}", hosts.collect::<String>())
    }

    pub(super) fn words_of(&self, act: &Act) -> String {
        match act {
            Act::Ask(workflow, ask) => format!("ask {workflow} {}", ask.name()),
            Act::Say(stream, ask) => format!("say {stream} {}", ask.name()),
            Act::Drive(stream, residency) => format!("drive {stream} {residency:?}"),
            Act::Deliver(place) => format!("deliver {}", self.post.words_of(*place)),
            Act::Make(stream, attempt) => {
                format!("make {stream} {} {}", attempt.purpose.text(), attempt.step)
            }
            Act::Stop(stream, attempt) => format!("stop {stream} {}", attempt.step),
            Act::Go(stream) => format!("go {stream}"),
            Act::Wake(stream, at) => format!("wake {stream} {at}"),
        }
    }
}

/// It is brought to a run as a host brings it.
fn hear(
    host: &mut Host,
    command: Ask,
    drives: Option<Residency>,
    from: Option<StreamId>,
) -> Result<Option<Result<Version, Problem>>, Broken> {
    if from.is_some() && drives.is_none() && !host.is_driven() {
        match host.recover()? {
            Some(Ok(_)) => {}
            refused => return Ok(refused),
        }
    }
    let answer = host.hear(command, drives.is_some(), from, None)?;
    if let (Some(residency), Some(Ok(_))) = (drives, &answer)
        && !host.is_driven()
    {
        host.drive(residency)?;
    }
    Ok(answer)
}

fn signal() -> Ask {
    Ask::Signal { name: "go".into(), data: Json::null(), by: "ada".into() }
}

fn awaits_signal(host: &Host) -> bool {
    let count = |kind: &str| host.history().iter().filter(|event| event.kind() == kind).count();
    count("signal_awaited") > count("signal_received")
}
