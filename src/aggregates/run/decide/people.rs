//! Commands by which people answer: approvals, checklists and signals.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::RunDraft;
use super::control::forward;
use crate::aggregates::run::advance::Advance;
use crate::aggregates::run::{
    ApprovalRequest, ApprovalState, Became, Gated, Impossible, Node, Phase, Refusal, Run, RunRejection,
    StepIndex, StepPhase, Unticked,
};
use crate::events::ids::{RequestId, TimerId};
use crate::events::json::{Json, Payload};
use crate::events::problem::{Code, Look, Remedy};
use crate::events::run::*;
use crate::events::time::Timestamp;
use crate::workflow::approval::{self, Edits};
use crate::workflow::definition::Definition;
use crate::workflow::input::check_input;
use crate::workflow::schema::Schema;
use crate::workflow::work::Failure;

/// More signals that no step has taken are not kept.
const SIGNALS_MAX: usize = 1_000;

/// The shortest part of a request's id that may stand for it.
const PREFIX_MIN: usize = 4;

/// The shortest beginning of a hash that may stand for it: of two versions of what is asked, hardly any share so much.
const HASH_DIGITS_MIN: usize = 8;

/// The changes that a grant makes.
#[derive(Default)]
struct Changed {
    /// As it is recorded: a map.
    edits: Option<Json>,
    /// The step's output, if that is what is changed.
    output: Option<Json>,
}

pub(super) fn approve(
    advance: &mut Advance<'_, '_>,
    named: &str,
    by: Arc<str>,
    note: Option<String>,
    edits: Option<Edits>,
    hash: Option<&str>,
) -> Result<(), RunRejection> {
    let wall = advance.moment.wall;
    let requests = open_requests(advance.draft.state(), named)?;
    let mut changed = Vec::with_capacity(requests.len());
    // Several requests are granted together or not at all.
    for request in &requests {
        let run = advance.draft.state();
        let open = open(run, request)?;
        may_answer(open, &by, wall)?;
        is_unchanged(open, hash)?;
        is_ticked(open)?;
        if open.granted.contains_key(&by) && edits.is_none() {
            let granted = u32::try_from(open.granted.len()).unwrap_or(u32::MAX);
            let left = open.asked.needed.saturating_sub(granted);
            let why = Refusal::GrantedAlready { by, request: request.clone() };
            return Err(why.but([Remedy::MoreGrants(left)]));
        }
        changed.push(change(advance, open, edits.as_ref())?);
    }
    for (request, Changed { edits, output }) in requests.into_iter().zip(changed) {
        let edits = edits.map(|edits| advance.draft.payload(edits));
        grant(advance, request, Arc::clone(&by), note.clone(), edits, output)?;
    }
    Ok(())
}

/// Refuses to grant what is not what somebody has looked at.
fn is_unchanged(request: &ApprovalRequest, seen: Option<&str>) -> Result<(), RunRejection> {
    let hash = request.hash();
    let is_of_it = |seen: &str| hash.to_string().starts_with(&seen.to_ascii_lowercase());
    if seen.is_none_or(|seen| seen.len() >= HASH_DIGITS_MIN && is_of_it(seen)) {
        return Ok(());
    }
    let (request, step) = (request.asked.request.clone(), request.asked.step.clone());
    Err(Refusal::RequestChanged { request, step, hash }.into())
}

/// Refuses to grant what asks for its whole checklist before all of that is ticked.
fn is_ticked(request: &ApprovalRequest) -> Result<(), RunRejection> {
    let points: Vec<(u32, String)> =
        request.unticked().map(|(point, says)| (point, says.to_owned())).collect();
    if !request.asked.require_checklist || points.is_empty() {
        return Ok(());
    }
    let id = request.asked.request.clone();
    let tick = Remedy::Tick { request: id.clone(), points: points.iter().map(|(point, _)| *point).collect() };
    Err(Refusal::NotTicked { request: id, points }.but([tick]))
}

/// What an answer makes of the arguments that a step would get, or of the output that it has. What is granted has to be
/// what the step can be done with, or may answer.
fn change(
    advance: &Advance<'_, '_>,
    request: &ApprovalRequest,
    edits: Option<&Edits>,
) -> Result<Changed, RunRejection> {
    let cannot = |why| RunRejection::from(Refusal::CannotEdit { step: request.asked.step.clone(), why });
    let node = advance.node(request.place)?;
    if node.asks_of_phase() && edits.is_some() {
        return Err(cannot("a phase has nothing that could be set".to_owned()));
    }
    match (request.asked.gate, edits) {
        (Gate::Before, None) => Ok(Changed::default()),
        (Gate::Before, Some(edits)) => {
            let before = request.edits.iter().map(|edits| advance.draft.json(edits, advance.moment));
            let now = advance.asked(request)?.open_to_edits(before.collect::<Result<Vec<_>, _>>()?);
            let now = now.ok_or_else(|| cannot("it has no arguments".to_owned()))?;
            let child = child_of(advance, request)?;
            let schema = child.as_ref().and_then(|child| child.input.as_ref());
            let schema_value = schema.map(Schema::value);
            let edits = edits.fitted(&now, schema_value).map_err(cannot)?;
            approval::are_read(&edits, &now, schema_value).map_err(cannot)?;
            let with = approval::merged(&now, &edits).map_err(cannot)?;
            if let Err(problems) = check_input(schema, &with) {
                let wrong: Vec<_> = problems.into_iter().map(|problem| problem.message).collect();
                return Err(cannot(format!("the input of its run would not fit: {}", wrong.join("; "))));
            }
            Ok(Changed { edits: Some(edits), output: None })
        }
        (Gate::After, edits) => {
            let output = advance.draft.json(node.output().unwrap_or(&Payload::default()), advance.moment)?;
            let step = advance.template(request.place)?;
            let schema = step.schema.as_ref();
            let edits = edits.map(|edits| edits.fitted(&output, schema).map_err(cannot)).transpose()?;
            let edited = edits.as_ref().map(|edits| approval::merged(&output, edits).map_err(cannot));
            let edited = edited.transpose()?;
            match advance.is_wrong(request.place, edited.as_ref().unwrap_or(&output))? {
                Some(Failure { code, message, .. }) => Err(Refusal::BadOutput { code, message }.into()),
                None => Ok(Changed { edits, output: edited }),
            }
        }
    }
}

/// The workflow that a step starts, if it starts one.
fn child_of(
    advance: &Advance<'_, '_>,
    request: &ApprovalRequest,
) -> Result<Option<Arc<Definition>>, RunRejection> {
    let file = advance.asked(request)?.work.and_then(|work| work.workflow);
    let about = advance.draft.state().about().ok_or(Impossible::NotBegun)?;
    let binding = about.started.children.iter().find(|child| Some(&*child.file) == file.as_deref());
    let definition =
        binding.map(|child| advance.draft.value::<Definition, _>(&child.definition.hash, advance.moment));
    Ok(definition.transpose()?)
}

fn grant(
    advance: &mut Advance<'_, '_>,
    request: RequestId,
    by: Arc<str>,
    note: Option<String>,
    edits: Option<Payload>,
    output: Option<Json>,
) -> Result<(), RunRejection> {
    let open = open(advance.draft.state(), &request)?;
    let (place, gate) = (open.place, open.asked.gate);
    let granted = if edits.is_some() { 1 } else { open.granted.len() + 1 };
    let is_last = granted >= open.asked.needed as usize;
    let output = output.map(|output| advance.draft.payload(output));
    if is_last && gate == Gate::After {
        let node = advance.draft.state().steps.get(place);
        let answered = output.clone().or_else(|| node?.output().cloned()).unwrap_or_default();
        let answered = advance.draft.json(&answered, advance.moment)?;
        advance.grow(place, &answered)?;
    }
    advance.draft.emit(ApprovalGranted { request, by, note, edits, output });
    let is_done = advance.draft.state().steps.get(place).is_some_and(Node::is_done);
    if is_done { advance.done(place) } else { Ok(()) }
}

pub(super) fn reject(
    advance: &mut Advance<'_, '_>,
    named: &str,
    by: &Arc<str>,
    reason: &str,
) -> Result<(), RunRejection> {
    let wall = advance.moment.wall;
    let requests = open_requests(advance.draft.state(), named)?;
    for request in &requests {
        may_answer(open(advance.draft.state(), request)?, by, wall)?;
    }
    for request in requests {
        // A failure that is not tolerated ends the run, and with it other requests.
        let Ok(&ApprovalRequest { place, .. }) = open(advance.draft.state(), &request) else { continue };
        advance.draft.emit(ApprovalRefused { request, by: Arc::clone(by), note: reason.to_owned() });
        let (code, message) = (Code::ApprovalRefused, format!("{by} refused it: {reason}"));
        advance.fail(place, code.class(), code, message)?;
    }
    Ok(())
}

pub(super) fn check(
    draft: &mut RunDraft<'_>,
    named: &str,
    by: Arc<str>,
    points: Vec<u32>,
    wall: Timestamp,
) -> Result<(), RunRejection> {
    let requests = open_requests(draft.state(), named)?;
    // Of several requests all are looked at or none.
    for request in &requests {
        let open = open(draft.state(), request)?;
        may_answer(open, &by, wall)?;
        let last = open.asked.checklist.len();
        if let Some(wrong) = points.iter().find(|point| **point == 0 || **point as usize > last) {
            let why = Refusal::NoSuchPoint { request: request.clone(), points: last, point: *wrong };
            return Err(why.but([Remedy::CountFromOne]));
        }
    }
    for request in requests {
        draft.emit(ApprovalChecked { request, by: Arc::clone(&by), points: points.clone() });
    }
    Ok(())
}

pub(super) fn signal(
    advance: &mut Advance<'_, '_>,
    name: Arc<str>,
    data: Json,
    by: Arc<str>,
) -> Result<(), RunRejection> {
    let run = advance.draft.state();
    if matches!(run.phase, Phase::Ended(_)) {
        return Err(Refusal::EndedBeforeSignal(run.status()).but(forward(run)));
    }
    let first = run.takes_signal(&name, advance.moment.wall)?;
    if first.is_none() && run.people.kept() >= SIGNALS_MAX {
        return Err(Refusal::TooManySignals(SIGNALS_MAX).but([Remedy::LookAtRun(Look::Waits)]));
    }
    let payload = advance.draft.payload(data.clone());
    advance.draft.emit(SignalReceived { name, data: payload, by });
    match first {
        Some(place) => advance.complete(place, data),
        None => Ok(()),
    }
}

/// Nobody answered in time.
pub(super) fn too_late(
    advance: &mut Advance<'_, '_>,
    place: StepIndex,
    timer: &TimerId,
) -> Result<(), RunRejection> {
    let node = advance.node(place)?;
    let is_awaiting = matches!(node.doing.phase, StepPhase::Awaiting(_));
    let (gate, signal) = (node.gate.clone(), node.signal().cloned());
    advance.draft.emit(TimerFired { timer: timer.clone() });
    match gate {
        _ if is_awaiting => {
            let code = Code::SignalMissed;
            let message = format!("the signal `{}` did not come in time", signal.unwrap_or_default());
            advance.fail(place, code.class(), code, message)
        }
        Gated::By(request) => {
            let (code, message) =
                (Code::ApprovalExpired, format!("nobody answered request `{request}` in time"));
            advance.draft.emit(ApprovalExpired { request });
            advance.fail(place, code.class(), code, message)
        }
        Gated::No | Gated::Again => Ok(()),
    }
}

/// The open requests that somebody means.
fn open_requests(run: &Run, named: &str) -> Result<Vec<RequestId>, RunRejection> {
    let requests = requests(run, named)?;
    if matches!(run.phase, Phase::Ended(_)) {
        // It is stuck in a rollback that keeps who asks.
        return Err(Refusal::NothingGoesOn(run.status()).but(forward(run)));
    }
    Ok(requests)
}

fn requests(run: &Run, named: &str) -> Result<Vec<RequestId>, RunRejection> {
    let meant = run.requests_meant(named);
    let open: Vec<RequestId> = meant.iter().filter(|id| run.people.open.contains(*id)).cloned().collect();
    match meant.last().and_then(|id| run.people.requests.get(id)) {
        Some(closed) if open.is_empty() => Err(is_closed(closed)),
        // What a partial rollback keeps waits on while that is stuck, and can be answered when it no longer is.
        Some(_) if matches!(run.phase, Phase::Ended(_)) => {
            Err(Refusal::EndedBeforeAnswer(run.status()).but(forward(run)))
        }
        Some(_) => Ok(open),
        None => Err(Refusal::NoSuchRequest(named.to_owned()).into()),
    }
}

impl Run {
    /// The step that takes a signal of that name; none if it is kept for one that will wait for it. What all have waited
    /// for too long, by the wall clock, is refused, also while nobody was there to record that.
    pub(crate) fn takes_signal(
        &self,
        name: &str,
        wall: Timestamp,
    ) -> Result<Option<StepIndex>, RunRejection> {
        let waiting = self.people.waiting.get(name).into_iter().flatten().copied();
        let waiting: Vec<StepIndex> = waiting.filter(|place| !self.is_given_up(*place)).collect();
        let in_time = waiting.iter().copied().find(|place| !self.has_waited_too_long(*place, wall));
        match waiting.first().and_then(|place| self.steps.get(*place)) {
            Some(late) if in_time.is_none() => {
                let why = Refusal::SignalLate { step: late.id().clone(), name: name.to_owned() };
                Err(why.but([Remedy::RecordExpiry]))
            }
            _ => Ok(in_time),
        }
    }

    /// The requests, answered or not, that somebody means: by an id or the beginning of one, by a step, by a phase.
    pub(in crate::aggregates::run) fn requests_meant(&self, named: &str) -> Vec<RequestId> {
        let requests = &self.people.requests;
        let ids = requests.keys();
        let begins = |id: &&RequestId| named.len() >= PREFIX_MIN && id.as_str().starts_with(named);
        let meant: Vec<RequestId> = match requests.get_key_value(&RequestId::named(named)) {
            Some((id, _)) => vec![id.clone()],
            None => ids.filter(begins).cloned().collect(),
        };
        if meant.len() == 1 {
            return meant;
        }
        let within = |places: &[StepIndex]| {
            let is_of_them = |request: &&ApprovalRequest| {
                self.steps.get(request.place).is_some_and(|node| self.steps.is_within(node, places))
            };
            requests
                .values()
                .filter(is_of_them)
                .map(|request| request.asked.request.clone())
                .collect::<Vec<_>>()
        };
        match within(&self.named(named)) {
            // A step that is named like its phase, and asks for nothing itself, hides nothing.
            none if none.is_empty() => within(&self.phase(named)),
            found => found,
        }
    }

    /// The points that nobody has ticked of the requests that somebody means, the newest of each step.
    pub fn unticked(&self, named: &str) -> Vec<Unticked> {
        let meant = self.requests_meant(named);
        let requests = meant.iter().filter_map(|id| self.people.requests.get(id));
        let mut newest: BTreeMap<StepIndex, &ApprovalRequest> = BTreeMap::new();
        for request in requests {
            let known = newest.entry(request.place).or_insert(request);
            if request.at > known.at {
                *known = request;
            }
        }
        let points = |request: &ApprovalRequest| {
            let (id, step) = (request.asked.request.clone(), request.asked.step.clone());
            let unticked = request.unticked().map(|(point, says)| (point, says.to_owned()));
            let of_it = |(point, says)| Unticked { request: id.clone(), step: step.clone(), point, says };
            unticked.map(of_it).collect::<Vec<_>>()
        };
        newest.values().flat_map(|request| points(request)).collect()
    }

    /// The step that a request is about.
    pub(in crate::aggregates::run) fn asks(&self, request: &RequestId) -> Option<&Node> {
        self.steps.get(self.people.requests.get(request)?.place)
    }
}

fn open<'r>(run: &'r Run, id: &RequestId) -> Result<&'r ApprovalRequest, RunRejection> {
    match run.people.requests.get(id) {
        Some(request) if request.answer == ApprovalState::Open => Ok(request),
        Some(request) => Err(is_closed(request)),
        None => Err(Impossible::NoRequest(id.clone()).into()),
    }
}

fn is_closed(request: &ApprovalRequest) -> RunRejection {
    closed(
        request,
        match &request.answer {
            ApprovalState::Open | ApprovalState::Withdrawn => Became::Withdrawn,
            ApprovalState::Granted => Became::Granted,
            ApprovalState::Refused { by, .. } => Became::Refused(Arc::clone(by)),
            ApprovalState::Expired => Became::Expired,
        },
    )
    .into()
}

fn closed(request: &ApprovalRequest, became: Became) -> Refusal {
    let (request, step) = (request.asked.request.clone(), request.asked.step.clone());
    Refusal::RequestClosed { request, step, became }
}

/// Whether somebody is asked, and it is not too late by the wall clock: what expired is refused, also while nobody was there
/// to record it.
fn may_answer(request: &ApprovalRequest, by: &Arc<str>, wall: Timestamp) -> Result<(), RunRejection> {
    if request.asked.expires.is_some_and(|at| at <= wall) {
        return Err(closed(request, Became::Expired).but([Remedy::RecordExpiry]));
    }
    let approvers = &request.asked.approvers;
    if approvers.is_empty() || approvers.contains(by) {
        return Ok(());
    }
    let why = Refusal::NotAsked { by: Arc::clone(by), request: request.asked.request.clone() };
    Err(why.but([Remedy::AskOneOf(approvers.clone())]))
}
