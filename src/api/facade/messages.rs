//! Messages between the agents of runs: the newest first, by what happened, from the last event back. What became of a message
//! was recorded after it, so it is known by then. It costs as many events as lie between the last and the oldest that is found.

use std::collections::HashMap;

use super::recorded::understood;
use super::{Facade, Frames};
use crate::actors::hosting::context::read_problem;
use crate::api::protocol::{Frame, MessageKnown, MessageState, ReceiverKnown, Response, WhichMessages};
use crate::events::commit::Recorded;
use crate::events::ids::{AgentName, MessageNumber, Position, RUN_KIND, RunId, StreamId, Version};
use crate::events::problem::{Code, Problem};
use crate::events::run::{ExpiredWhy, MessageSent, RunEvent};
use crate::events::time::Timestamp;
use crate::kernel::Blobs;

/// How many events are read at once.
const PAGE: u64 = 1_024;

/// What the types of events about messages begin with.
const ABOUT_MESSAGES: &str = "message_";

/// What was recorded after a message was sent, for each of its receivers.
type Fates = HashMap<(RunId, MessageNumber), Vec<(AgentName, Option<ExpiredWhy>)>>;

impl Facade {
    /// Sends the messages that are asked for, of one run or of all, the oldest first.
    pub(super) async fn messages(
        &self,
        run: Option<&str>,
        which: &WhichMessages,
        frames: &Frames,
    ) -> Result<Response, Problem> {
        let stream = match run {
            Some(run) => Some(StreamId::of_run(&self.resolve(run).await?)),
            None => None,
        };
        let newest = match &stream {
            Some(stream) => self.newest(stream).await?.0,
            None => self.system.store().committed().borrow().0,
        };
        let mut found = Vec::new();
        let (mut fates, mut ended) = (Fates::new(), HashMap::new());
        let mut before = newest.saturating_add(1);
        while before > 1 && found.len() < which.limit as usize {
            let from = before.saturating_sub(PAGE).max(1);
            let page = self.between(stream.as_ref(), from, before).await?;
            for recorded in page.iter().rev().filter(|recorded| is_about_messages(recorded)) {
                let message = self.message(recorded, which, &mut fates, &mut ended).await?;
                found.extend(message);
                if found.len() >= which.limit as usize {
                    break;
                }
            }
            let is_before =
                |since: Timestamp| page.iter().all(|recorded| recorded.header.recorded_at < since);
            if which.since.is_some_and(is_before) {
                break;
            }
            before = from;
        }
        for message in found.into_iter().rev() {
            if frames.send(Frame::Message(Box::new(message))).await.is_err() {
                break;
            }
        }
        Ok(Response::Done)
    }

    /// The events from one number up to another, of a stream or of the store.
    async fn between(
        &self,
        stream: Option<&StreamId>,
        from: u64,
        before: u64,
    ) -> Result<Vec<Recorded>, Problem> {
        let (after, count) = (from.saturating_sub(1), usize::try_from(before - from).unwrap_or(usize::MAX));
        let page = match stream {
            Some(stream) => self.system.store().read_stream(stream, Version(after), count).await,
            None => self.system.store().read_all(Position(after), count).await,
        };
        page.map_err(|error| read_problem(&error))
    }

    /// The message that an event says was sent, if it is one that is asked for. All other events it remembers.
    async fn message(
        &self,
        recorded: &Recorded,
        which: &WhichMessages,
        fates: &mut Fates,
        ended: &mut HashMap<RunId, bool>,
    ) -> Result<Option<MessageKnown>, Problem> {
        let Some(run) = recorded.header.stream.run() else { return Ok(None) };
        let sent = match understood(recorded)? {
            RunEvent::MessageSent(sent) => sent,
            RunEvent::MessageHandled(handled) => {
                fates.entry((run, handled.number)).or_default().push((handled.receiver, None));
                return Ok(None);
            }
            RunEvent::MessageExpired(expired) => {
                let fate = (expired.receiver, Some(expired.why));
                fates.entry((run, expired.number)).or_default().push(fate);
                return Ok(None);
            }
            _ => return Ok(None),
        };
        let fates = fates.remove(&(run.clone(), sent.number)).unwrap_or_default();
        if !is_wanted(&sent, recorded.header.recorded_at, which) {
            return Ok(None);
        }
        let is_open = fates.len() < sent.receivers.len();
        let has_ended = match ended.get(&run) {
            Some(ended) => *ended,
            None if is_open => {
                let (state, _) = self.system.fold(&run).await?;
                *ended.entry(run.clone()).or_insert(state.status().has_ended())
            }
            None => false,
        };
        let receivers = self.receivers(&sent, &fates, has_ended);
        let body = self.system.library().json(&sent.body).map_err(|error| error.problem())?;
        let message = MessageKnown {
            id: MessageKnown::id(&run, sent.number),
            at: recorded.header.recorded_at,
            from: sent.from,
            to: sent.to,
            kind: sent.kind,
            priority: sent.priority,
            correlation: sent.correlation,
            state: MessageKnown::state_of(&receivers),
            body,
            type_name: sent.type_name,
            causation: sent.causation.map(|number| MessageKnown::id(&run, number)),
            deadline: sent.deadline,
            step: sent.step,
            by: sent.by,
            receivers,
            run,
        };
        Ok(Some(message).filter(|message| !which.dead || message.is_dead()))
    }

    /// What has become of a message for each of its receivers.
    fn receivers(
        &self,
        sent: &MessageSent,
        fates: &[(AgentName, Option<ExpiredWhy>)],
        has_ended: bool,
    ) -> Vec<ReceiverKnown> {
        let now = self.system.clock().now().steady;
        let is_late = sent.deadline.is_some_and(|deadline| deadline <= now);
        let known = |receiver: &AgentName| {
            let fate = fates.iter().find(|(agent, _)| agent == receiver).map(|(_, why)| why);
            let (state, why) = match fate {
                Some(None) => (MessageState::Handled, None),
                Some(Some(why)) => (state_of(why), Some(reason(receiver, why))),
                None if is_late => (MessageState::Expired, Some(reason(receiver, &ExpiredWhy::Deadline))),
                None if has_ended => (MessageState::Dead, Some("the run has ended".to_owned())),
                None => (MessageState::Sent, None),
            };
            ReceiverKnown { agent: receiver.clone(), state, why }
        };
        sent.receivers.iter().map(known).collect()
    }
}

/// Whether an event says something of a message: only those are decoded.
fn is_about_messages(recorded: &Recorded) -> bool {
    recorded.event.kind.starts_with(ABOUT_MESSAGES) && recorded.header.stream.kind() == RUN_KIND
}

/// Whether a message is one that is asked for, whatever has become of it.
fn is_wanted(sent: &MessageSent, at: Timestamp, which: &WhichMessages) -> bool {
    let is_of = |agent: &AgentName| {
        let key = agent.key();
        sent.from.key() == key || sent.receivers.iter().any(|receiver| receiver.key() == key)
    };
    which.agent.as_ref().is_none_or(is_of)
        && which.kind.is_none_or(|kind| kind == sent.kind)
        && which.since.is_none_or(|since| at >= since)
        && which.correlation.as_deref().is_none_or(|text| sent.correlation.as_deref() == Some(text))
}

fn state_of(why: &ExpiredWhy) -> MessageState {
    match why {
        ExpiredWhy::Deadline => MessageState::Expired,
        ExpiredWhy::NoReceiver { .. } | ExpiredWhy::TriedTooOften { .. } => MessageState::Dead,
    }
}

/// Why a receiver will not handle a message, in a sentence.
fn reason(receiver: &AgentName, why: &ExpiredWhy) -> String {
    match why {
        ExpiredWhy::Deadline => "its deadline has passed".to_owned(),
        ExpiredWhy::NoReceiver { nearest } => {
            let near = nearest.as_ref().map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            format!("{}: the run has no agent `{receiver}`{near}", Code::NoSuchReceiver)
        }
        ExpiredWhy::TriedTooOften { tries, code, message } => {
            let message = message.lines().next().unwrap_or_default();
            format!("{tries} attempts that were given it did not succeed, the last with {code}: {message}")
        }
    }
}
