//! Reads one step of a file.

use std::collections::BTreeMap;
use std::time::Duration;

use super::defaults::{Defaults, environment};
use super::diagnostics::{Diagnostics, Fields};
use super::keys::{Keys, Takes, key, words};
use super::retry::PartialRetry;
use super::saga::Saga;
use super::tiers::Tiers;
use super::tree::{Tree, Value};
use super::values::{self, Use, Values};
use super::{
    NamedAgent, NamedChild, STEP_NOT_BUILT, cache, conversation, defaults, foreign, gates, handoffs, kinds,
    output, repeat, saga, shared, tasks, tiers,
};
use crate::events::ids::{AgentName, StepId};
use crate::events::problem::{Code, Problem, SourceLocation};
use crate::workflow::definition::{AgentRole, Does, ForEach, OnError, Retry, Step};
use crate::workflow::template::Template;

pub(super) const KEYS: Keys = Keys {
    known: &[
        key("id", Takes::Id, "its name: a letter or `_`, then letters, digits, `_` or `-`"),
        key("run", Takes::Command, "a program: a text runs under `sh -c`, a list is executed as it is"),
        key("agent", Takes::Text, "the agent that does it"),
        key("with", Takes::Value, "the arguments of its agent, or the input of its workflow"),
        key("prompt", Takes::Text, "the words that its agent gets"),
        key("sleep", Takes::Duration, "waits for so long"),
        key("wait_for", Takes::Text, "waits for a signal of that name"),
        key("workflow", Takes::Text, "starts a run of another workflow: the path of its file"),
        key("needs", Takes::Texts, "the ids of the steps that must be done before; `[]` starts at once"),
        key("if", Takes::Expression, "an expression: it is skipped unless it is true"),
        key(
            "for_each",
            Takes::Items,
            "an expression or a list: one step an item, which sees `item` and `index`",
        ),
        key("max_parallel", Takes::Count(u32::MAX), "how many items at once"),
        key("repeat", Takes::Map(&repeat::KEYS), "does it again until an expression is true"),
        key("timeout", Takes::Duration, "how long an attempt, or the wait for a signal, may take"),
        key("retry", Takes::Map(&super::retry::KEYS), "whether and when it is tried again"),
        key("on_error", Takes::Word(|| words(&defaults::ON_ERROR)), "what its failure does to the run"),
        key("fallback", Takes::Map(&tiers::KEYS), "who does it when its agent has failed for good"),
        key("handoffs", Takes::Texts, "the agents to which its agent may hand it over, and no others"),
        key("optional", Takes::Flag, "whether it may be left out when it has failed"),
        key("criticality", Takes::Word(|| words(&tiers::CRITICALITY)), "how much it matters that it is done"),
        key(
            "plan",
            Takes::MapOr(tasks::TASKS, &tasks::KEYS),
            "what its agent answers is a plan of tasks, which become steps",
        ),
        gates::APPROVE,
        gates::APPROVERS,
        gates::APPROVALS,
        gates::EXPIRES,
        gates::CHECKLIST,
        gates::REQUIRE_CHECKLIST,
        key("output", Takes::Output, "what its output is made of; `output` is what it answered"),
        key("schema", Takes::Schema, "a JSON Schema of its output"),
        key("phase", Takes::Text, "the group of steps that it belongs to"),
        key("env", Takes::TextsByName, "variables for its programs"),
        key("cwd", Takes::Text, "the folder of its programs, relative to that of the file"),
        key(
            "compensate",
            Takes::MapOr(saga::NONE, &saga::KEYS),
            "how it is undone; `none` says that it has nothing to undo",
        ),
        key("locks", Takes::Texts, "locks of shared contexts that it holds for each attempt: `CONTEXT/NAME`"),
        key("conversation", Takes::Text, "the conversation with which it goes on, by its name"),
        key("cache", Takes::Map(&cache::KEYS), "lets it take an earlier answer in place of an attempt"),
        key("irreversible", Takes::Flag, "from its start on nothing of the run is undone any more"),
        key("at_most_once", Takes::Flag, "it is started once, whatever happens"),
    ],
    required: &["id"],
    kinds: kinds::STEP.kinds,

    not_built: STEP_NOT_BUILT,
    elsewhere: &[("on_failure", "it is for the whole workflow; a step has `on_error`")],
    foreign: foreign::STEP,
    ..Keys::of("a step")
};

/// A step, as far as it could be read.
pub(super) struct Draft<'t> {
    /// The id of the step; none if it has no valid one.
    pub(super) id: Option<StepId>,
    /// The place for reports about the step: its id, or its beginning.
    pub(super) place: &'t Tree,
    /// The ids in its `needs`, with their places; none without that key, so that it runs
    /// after the step above.
    pub(super) needs: Option<Vec<(&'t str, &'t Tree)>>,
    /// The expressions in the step.
    pub(super) uses: Uses<'t>,
    /// The steps that it grows, if it grows any.
    pub(super) grows: Grows,
    /// The agents that it names, with the purpose and the place.
    agents: Vec<(AgentName, AgentRole, SourceLocation)>,
    /// The workflow file that it names, with the place.
    child: Option<(String, SourceLocation)>,
    /// The phase that it belongs to, with the place.
    pub(super) phase: Option<(&'t str, &'t Tree)>,
    /// Whether neither it nor the `defaults` say what its failure does to the run.
    pub(super) undecided: bool,
    /// The step without its needs; none if something is wrong with it.
    pub(super) step: Option<Step>,
}

/// The expressions in a step, grouped by what they may name.
#[derive(Default)]
pub(super) struct Uses<'t> {
    /// The expressions that are evaluated once for the whole step.
    pub(super) whole: Vec<Use<'t>>,
    /// The expressions in its work; in a fan-out they are evaluated for each item.
    pub(super) work: Vec<Use<'t>>,
    /// The expressions that decide when its loop ends.
    pub(super) until: Vec<Use<'t>>,
    /// The expressions that make its output; in a fan-out they are evaluated for each item.
    pub(super) output: Vec<Use<'t>>,
    /// The expressions in its compensation.
    pub(super) undoing: Vec<Use<'t>>,
}

/// The steps that a step grows when it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grows {
    None,
    /// One step for each item: `copy[0]`.
    Items,
    /// One step for each round: `poll#1`.
    Rounds,
}

impl<'t> Draft<'t> {
    /// Reads a step; none if it is not a map.
    pub(super) fn read<'s: 't>(
        report: &mut Diagnostics<'s>,
        defaults: &Defaults,
        tree: &'t Tree,
    ) -> Option<Self> {
        let problems = report.problems.len();
        let id = id(report, tree);
        report.step.clone_from(&id);
        let fields = Fields::read(report, "a step", &KEYS, tree)?;
        let mut uses = Uses::default();
        let mut values = Values { report, uses: Vec::new() };
        let condition = fields.get("if").and_then(|tree| values.expression("if", tree));
        let for_each = fan_out(&mut values, &fields);
        uses.whole = std::mem::take(&mut values.uses);
        let does = kinds::does(&mut values, &fields, tree, &kinds::STEP);
        let env = environment_over(&mut values, &fields, defaults);
        let cwd = fields.get("cwd").and_then(|tree| values.text("cwd", tree));
        uses.work = values.uses;
        kinds::refuse_idle_keys(report, &fields);
        let needs = fields.get("needs").map(|tree| needs(report, tree));
        let tiers = Tiers::read(report, &fields, defaults);
        let (timeout, retry) = trying(report, &fields, defaults, tiers.on_error);
        let saga = Saga::read(report, &fields);
        uses.undoing = saga.uses;
        let (repeat, output);
        (repeat, uses.until) = repeat::read(report, &fields);
        (output, uses.output) = output::read(report, &fields);
        let approval = gates::approval(report, &fields);
        let schema = schema(report, &fields);
        let phase = fields.get("phase").and_then(|tree| phase(report, tree));
        let locks = shared::locks(report, &fields, &defaults.contexts);
        let (agent, child) = named(report, &fields, does.as_ref());
        let handoffs = handoffs::read(report, &fields);
        let mut agents = agents([agent, tiers.agent, saga.agent], handoffs.as_deref());
        let plan = tasks::read(report, &fields, &mut uses.work, &mut agents);
        let conversation = conversation::read(report, &fields, &mut uses.work);
        let cache = cache::read(report, &fields, &mut uses.work, approval.as_ref());
        let step =
            id.clone().zip(does).filter(|_| report.problems.len() == problems).map(|(id, does)| Step {
                id,
                does,
                needs: Vec::new(),
                condition,
                for_each,
                timeout,
                // One from the `defaults`; a step with `at_most_once` and a `retry` of its own is refused.
                retry: retry.filter(|_| !saga.at_most_once),
                on_error: tiers.on_error,
                env,
                cwd,
                compensate: saga.compensate,
                nothing_to_undo: saga.nothing_to_undo,
                fallback: tiers.fallback,
                handoffs: handoffs.map(|named| named.into_iter().map(|(name, _)| name).collect()),
                plan,
                criticality: tiers.criticality,
                repeat,
                approval,
                output,
                schema,
                phase: phase.map(|(name, _)| name.to_owned()),
                locks,
                conversation,
                cache,
                irreversible: saga.irreversible,
                at_most_once: saga.at_most_once,
            });
        let (place, grows) = (fields.get("id").unwrap_or(tree), Grows::of(&fields));
        Some(Self { id, place, needs, uses, grows, agents, child, phase, undecided: tiers.undecided, step })
    }
}

impl Draft<'_> {
    /// The agents that the step names. Empty if its id was refused, because they belong to an id.
    pub(super) fn named_agents(&self) -> impl Iterator<Item = NamedAgent> {
        self.id.iter().flat_map(|step| {
            self.agents.iter().map(|(agent, role, at)| NamedAgent {
                agent: agent.clone(),
                step: step.clone(),
                role: *role,
                at: at.clone(),
                or_default: false,
            })
        })
    }

    /// The workflow file that the step names.
    pub(super) fn named_child(&self) -> Option<NamedChild> {
        let (file, at) = self.child.clone()?;
        Some(NamedChild { file, step: self.id.clone()?, at })
    }
}

impl Grows {
    fn of(fields: &Fields<'_>) -> Self {
        match (fields.get("for_each"), fields.get("repeat")) {
            (Some(_), _) => Self::Items,
            (None, Some(_)) => Self::Rounds,
            (None, None) => Self::None,
        }
    }
}

/// Something that a file names, with the place; none if it names none.
type Placed<T> = Option<(T, SourceLocation)>;

/// The agent that a step names to do it, or the workflow file that it names, with the place.
fn named(
    report: &Diagnostics<'_>,
    fields: &Fields<'_>,
    does: Option<&Does>,
) -> (Placed<AgentName>, Placed<String>) {
    let place = |key: &str| fields.get(key).map(|tree| report.place(tree));
    match does {
        Some(Does::Agent { agent, .. }) => (Some(agent.clone()).zip(place("agent")), None),
        Some(Does::Workflow { file, .. }) => (None, Some(file.clone()).zip(place("workflow"))),
        _ => (None, None),
    }
}

/// The agents that a step names to do it, to stand in, to undo it, and to take it over, each with what for and where.
fn agents(
    named: [Placed<AgentName>; 3],
    handoffs: Option<&[(AgentName, SourceLocation)]>,
) -> Vec<(AgentName, AgentRole, SourceLocation)> {
    let roles = [AgentRole::Does, AgentRole::FallsBack, AgentRole::Undoes];
    let named = roles.into_iter().zip(named).filter_map(|(role, named)| Some((role, named?)));
    let taking_over = handoffs.into_iter().flatten().map(|named| (AgentRole::TakesOver, named.clone()));
    named.chain(taking_over).map(|(role, (name, at))| (name, role, at)).collect()
}

/// Reads the id first, because every problem of the step names it.
fn id(report: &mut Diagnostics<'_>, tree: &Tree) -> Option<StepId> {
    report.step = None;
    let Value::Map(entries) = &tree.value else { return None };
    let is_id = |(key, _): &&(Tree, Tree)| key.value == Value::Text("id".to_owned());
    let Some((_, place)) = entries.iter().find(is_id) else {
        let problem = Problem::new(Code::BadStepId, "a step has no `id`");
        report.refuse(tree, problem.hint("give it a name of its own: `id: build`"));
        return None;
    };
    match StepId::parse(report.text("id", place)?) {
        Ok(id) => Some(id),
        Err(why) => {
            report.refuse(place, Problem::new(Code::BadStepId, format!("`{}` is no step id", why.text)));
            None
        }
    }
}

fn fan_out<'t, 's: 't>(values: &mut Values<'t, '_, 's>, fields: &Fields<'t>) -> Option<ForEach> {
    let for_each = fields.get("for_each").and_then(|tree| values.for_each(tree));
    let report = &mut *values.report;
    let max_parallel = fields.get("max_parallel").and_then(|tree| report.count("max_parallel", tree));
    if let (Some(key), None) = (fields.key("max_parallel"), fields.get("for_each")) {
        report.contradiction(key, "`max_parallel` says nothing without `for_each`");
    }
    for_each.map(|fan_out| ForEach { max_parallel, ..fan_out })
}

/// The environment variables that its programs get; empty if it has no programs.
fn environment_over<'t, 's: 't>(
    values: &mut Values<'t, '_, 's>,
    fields: &Fields<'t>,
    defaults: &Defaults,
) -> BTreeMap<String, Template> {
    let own = fields.get("env").map(|tree| environment(values, tree)).unwrap_or_default();
    let inherited = if kinds::has_programs(fields) { defaults.env.clone() } else { BTreeMap::new() };
    inherited.into_iter().chain(own).collect()
}

/// How long attempts may take, and how often they are made. The `defaults` apply only to
/// steps that make attempts.
fn trying(
    report: &mut Diagnostics<'_>,
    fields: &Fields<'_>,
    defaults: &Defaults,
    on_error: OnError,
) -> (Option<Duration>, Option<Retry>) {
    let timeout = fields.get("timeout").and_then(|tree| report.positive_duration("timeout", tree));
    if !kinds::makes_attempts(fields) {
        return (timeout, None);
    }
    let retry = fields.get("retry").map(|tree| {
        if matches!(on_error, OnError::FailFast | OnError::Continue)
            && let Some(key) = fields.key("retry")
        {
            let name = if on_error == OnError::Continue { "continue" } else { "fail_fast" };
            let message = format!("`on_error: {name}` does not use `retry`");
            report.warn(key, Problem::new(Code::Contradiction, message));
        }
        PartialRetry::read(report, tree).complete(defaults.retry.as_ref(), report, tree)
    });
    let retry = retry.or_else(|| defaults.retry.clone().map(|retry| retry.over(None)));
    (timeout.or(defaults.timeout), retry)
}

/// What its output has to look like.
fn schema(report: &mut Diagnostics<'_>, fields: &Fields<'_>) -> Option<serde_json::Value> {
    let schema = fields.get("schema").and_then(|tree| values::schema(report, "schema", tree));
    schema.map(|schema| schema.value().clone())
}

fn phase<'t, 's: 't>(report: &mut Diagnostics<'s>, tree: &'t Tree) -> Option<(&'t str, &'t Tree)> {
    Some((report.line("phase", kinds::NAME_CHARS_MAX, tree)?, tree))
}

/// The names in `needs`, with their places.
fn needs<'t, 's: 't>(report: &mut Diagnostics<'s>, tree: &'t Tree) -> Vec<(&'t str, &'t Tree)> {
    if let Value::Text(name) = &tree.value {
        let problem = Problem::new(Code::BadValue, "`needs` takes a list of ids, and this is a text");
        report.refuse(tree, problem.hint(format!("write `needs: [{name}]`")));
        return Vec::new();
    }
    let mut names: Vec<(&str, &Tree)> = Vec::new();
    for item in report.list("needs", tree).unwrap_or_default() {
        let Some(name) = report.text("needs", item) else { continue };
        if names.iter().any(|(earlier, _)| *earlier == name) {
            let problem = Problem::new(Code::Contradiction, format!("`{name}` stands twice in `needs`"));
            report.warn(item, problem.hint("take one out"));
        } else {
            names.push((name, item));
        }
    }
    names
}
