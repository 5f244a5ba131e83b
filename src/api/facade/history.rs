//! What happened to a run, or to a stream of any kind, and how it was.

use futures_util::StreamExt;

use super::see::Left;
use super::{Facade, Frames, unknown_run};
use crate::actors::hosting::context::read_problem;
use crate::actors::subscribe::EventFilter;
use crate::actors::system::no_such_version;
use crate::aggregates::run::Run;
use crate::api::protocol::{Frame, HistoryLine, Response, Shown, State, WhichEvents};
use crate::events::agent::AgentEvent;
use crate::events::cache::CacheEvent;
use crate::events::commit::Recorded;
use crate::events::context::ContextEvent;
use crate::events::conversation::ConversationEvent;
use crate::events::ids::{
    AGENT_KIND, AgentName, CACHE_KIND, CONTEXT_KIND, CONVERSATION_KIND, MIND_KIND, RUN_KIND, RunId, StepId,
    StreamId, Version,
};
use crate::events::mind::MindEvent;
use crate::events::problem::{Code, Problem, Remedy, nearest};
use crate::events::run::RunEvent;
use crate::kernel::Aggregate;
use crate::kernel::standing::Standing;
use crate::store::ReadError;
use crate::views::presenters::history::AboutStep;
use crate::views::presenters::report::{RunReport, agents, effects, report};
use crate::views::presenters::stream::StreamReport;
use crate::views::presenters::whole::whole;

/// How many events are read at once.
const HISTORY_PAGE: usize = 1_024;

impl Facade {
    /// Sends the events of a stream that are asked for; followed, until the run rests or nobody drives it.
    pub(super) async fn history(
        &self,
        text: &str,
        which: &WhichEvents,
        frames: &Frames,
    ) -> Result<Response, Problem> {
        let stream = self.stream(text).await?;
        let mut wanted = self.wanted(&stream, which).await?;
        let Some(run) = stream.run().filter(|_| which.follow) else {
            if which.follow {
                return Err(Problem::new(Code::Usage, format!("`{text}` is no run, and comes to no rest"))
                    .hint(vec![Remedy::plain("look at its events without following them")]));
            }
            self.tell(&stream, &mut wanted, frames).await?;
            return Ok(Response::Done);
        };
        let (mut committed, mut left) = (self.system.store().committed(), Left::default());
        loop {
            committed.mark_unchanged();
            let driven = self.drives(&run);
            if !self.tell(&stream, &mut wanted, frames).await? {
                return Ok(Response::Done);
            }
            let (state, head) = self.system.fold(&run).await?;
            if head.version > wanted.after {
                continue;
            }
            let may_go_on = driven || self.may_be_driven_elsewhere();
            if state.attention().is_at_rest() || left.is_for_good(may_go_on) {
                return Ok(Response::Done);
            }
            self.until_changed(&mut committed, may_go_on).await?;
        }
    }

    /// Which events are wanted of a stream, from the first on.
    async fn wanted(&self, stream: &StreamId, which: &WhichEvents) -> Result<Wanted, Problem> {
        let known = match stream.kind() {
            RUN_KIND => RunEvent::TABLE,
            AGENT_KIND => AgentEvent::TABLE,
            CONTEXT_KIND => ContextEvent::TABLE,
            CONVERSATION_KIND => ConversationEvent::TABLE,
            MIND_KIND => MindEvent::TABLE,
            CACHE_KIND => CacheEvent::TABLE,
            // Its types are known to the program that has such streams.
            _ => &[],
        };
        let is_known = |kind: &str| known.is_empty() || known.iter().any(|(known, _)| *known == kind);
        if let Some(unknown) = which.types.iter().find(|kind| !is_known(kind)) {
            return Err(no_such_type(unknown, known));
        }
        if let Some(step) = &which.step {
            let Some(run) = stream.run() else {
                return Err(Problem::new(Code::Usage, format!("`{stream}` is no run, and has no steps")));
            };
            self.has_step(&run, &StepId::grown(step)).await?;
        }
        let from = which.from.map_or(0, |from| from.0.saturating_sub(1));
        // What an event is about may have been said before.
        let after = Version(if which.step.is_some() { 0 } else { from });
        let about = which.step.as_deref().map(AboutStep::new);
        Ok(Wanted { after, from: Version(from), to: which.to, types: which.types.clone(), about })
    }

    /// Sends what there is that is wanted; answers whether there may come more.
    async fn tell(&self, stream: &StreamId, wanted: &mut Wanted, frames: &Frames) -> Result<bool, Problem> {
        let mut at_once = HISTORY_PAGE;
        loop {
            let page = match self.system.store().read_stream(stream, wanted.after, at_once).await {
                // What stands before what is damaged is shown all the same.
                Err(ReadError::Damaged { .. }) if at_once > 1 => {
                    at_once = 1;
                    continue;
                }
                page => page.map_err(|error| read_problem(&error))?,
            };
            let Some(last) = page.last() else { return Ok(true) };
            for recorded in &page {
                if wanted.to.is_some_and(|to| recorded.version > to) {
                    return Ok(false);
                }
                let line = wanted.admits(recorded).then(|| Frame::Event(Box::new(HistoryLine::of(recorded))));
                if let Some(line) = line
                    && frames.send(line).await.is_err()
                {
                    return Ok(false);
                }
            }
            wanted.after = last.version;
        }
    }

    /// Sends the events of a run after a version, then each as it becomes durable, until the engine ends or nobody listens.
    pub(super) async fn follow(
        &self,
        run: &RunId,
        after: Version,
        frames: &Frames,
    ) -> Result<Response, Problem> {
        self.newest(&StreamId::of_run(run)).await?;
        let mut events =
            self.system.subscribe(EventFilter { run: Some(run.clone()), ..EventFilter::default() });
        while let Some(recorded) = events.next().await.transpose()? {
            let is_wanted = recorded.version > after;
            if is_wanted && frames.send(Frame::Event(Box::new(HistoryLine::of(&recorded)))).await.is_err() {
                break;
            }
        }
        Ok(Response::Done)
    }

    /// The stream that a text means: of a kind that is known, or of a run.
    async fn stream(&self, text: &str) -> Result<StreamId, Problem> {
        match text.split_once('/') {
            Some((RUN_KIND, run)) => Ok(StreamId::of_run(&self.resolve(run).await?)),
            Some((kind, id)) => {
                let stream = match kind {
                    AGENT_KIND => StreamId::of_agent(&AgentName::new(id)),
                    MIND_KIND => StreamId::of_mind(&AgentName::new(id)),
                    _ => StreamId::new(kind, id),
                };
                let is_there = self.system.kind(&stream).is_ok() && self.newest(&stream).await.is_ok();
                if is_there { Ok(stream) } else { Err(no_stream(text)) }
            }
            None => Ok(StreamId::of_run(&self.resolve(text).await?)),
        }
    }

    /// A stream as it was right after one of its events; none means the newest.
    pub(super) async fn state_at(&self, text: &str, at: Option<Version>) -> Result<State, Problem> {
        let stream = self.stream(text).await?;
        let newest = self.newest(&stream).await?;
        let at = at.unwrap_or(newest);
        let run = stream.run();
        if at < Version(1) || at > newest {
            let name = run.as_ref().map_or_else(|| stream.as_str(), RunId::as_str);
            return Err(no_such_version(name, at, newest));
        }
        let event = self.event(&stream, at).await?;
        let shown = match run {
            Some(run) => Shown::Run(Box::new(self.run_at(&run, &event, newest).await?)),
            None => Shown::Stream(Box::new(self.stream_at(&stream, at).await?)),
        };
        let whole = whole(&event, &**self.system.library());
        Ok(State { shown, event: HistoryLine::of(&event), whole, newest })
    }

    async fn run_at(&self, run: &RunId, event: &Recorded, newest: Version) -> Result<RunReport, Problem> {
        let at = event.version;
        // What was needs nobody to drive it.
        let driven = at < newest || self.system.is_driven(run);
        let now = if at < newest { event.header.recorded_at } else { self.system.clock().now().steady };
        let library = &**self.system.library();
        let report = |state: &Run| {
            let Some(about) = state.about() else { return Err(unknown_run(run.as_str())) };
            let report = report(state, about, at, driven, now, library).map_err(|error| error.problem())?;
            Ok(RunReport { effects: Some(effects(state)), agents: agents(&about.started), ..report })
        };
        self.look_at_past(run, event, report).await
    }

    async fn stream_at(&self, stream: &StreamId, at: Version) -> Result<StreamReport, Problem> {
        let kind = self.system.kind(stream)?;
        let (standing, state) = kind.seen(&**self.system.store(), stream, at).await?;
        let Standing { version, status, attention, .. } = standing;
        Ok(StreamReport { stream: stream.clone(), version, status: status.into(), attention, state })
    }

    pub(super) async fn newest(&self, stream: &StreamId) -> Result<Version, Problem> {
        let head = self.system.store().head(stream).await;
        let head = head.map_err(|error| read_problem(&error))?;
        head.map(|head| head.version).ok_or_else(|| no_stream(stream.as_str()))
    }

    async fn event(&self, stream: &StreamId, at: Version) -> Result<Recorded, Problem> {
        let page = self.system.store().read_stream(stream, Version(at.0.saturating_sub(1)), 1).await;
        let page = page.map_err(|error| read_problem(&error))?;
        page.into_iter().next().ok_or_else(|| no_stream(stream.as_str()))
    }
}

/// The events of a stream that are wanted, and how far it was looked for them.
struct Wanted {
    after: Version,
    from: Version,
    to: Option<Version>,
    types: Vec<String>,
    about: Option<AboutStep>,
}

impl Wanted {
    fn admits(&mut self, recorded: &Recorded) -> bool {
        let is_about = self.about.as_mut().is_none_or(|about| about.is_about(recorded));
        let is_of_type =
            self.types.is_empty() || self.types.iter().any(|kind| **kind == *recorded.event.kind);
        is_about && is_of_type && recorded.version > self.from
    }
}

fn no_such_type(kind: &str, known: &[(&str, u16)]) -> Problem {
    let mut names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
    // One that had several shapes stands there several times, one behind the other.
    names.dedup();
    let near = nearest(kind, names.iter().copied()).map(|near| format!("did you mean `{near}`? "));
    let problem = Problem::new(Code::Usage, format!("`{kind}` is no type of event"));
    problem.hint(format!("{}there are {}", near.unwrap_or_default(), names.join(", ")))
}

/// There is no stream that is called so.
fn no_stream(text: &str) -> Problem {
    match text.strip_prefix(RUN_KIND).and_then(|rest| rest.strip_prefix('/')) {
        Some(run) => unknown_run(run),
        None => Problem::new(Code::UnknownRun, format!("nothing was recorded of `{text}`")),
    }
}
