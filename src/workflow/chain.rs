//! Markdown chains: workflows as people write them for agents. Each subtask is a step, which is told a prompt and answers JSON;
//! what one answers the next ones use by name. A chain is read into the tree that a workflow file in YAML is read into, so that
//! it is a workflow like any other.
//!
//! - `lines`: headings and fenced blocks; `labels`: `**Agent**: …`; `outline`: what stands where
//! - `subtask`: one subtask, read; `variables`: the names in it; `example`: the shape that its answer has to have
//! - `braces`: `{name}` in prompts; `meaning`: what each name means
//! - `advice`: what is allowed, and harder to run or to keep
//! - `build`: the tree; `yaml`: the same as a file

mod advice;
mod braces;
mod build;
mod example;
mod labels;
mod lines;
mod meaning;
mod outline;
mod report;
mod subtask;
#[cfg(test)]
mod tests;
mod variables;
mod yaml;

use std::collections::{BTreeMap, HashMap};

use self::example::Example;
use self::meaning::{Bound, Input, Names};
use self::outline::{Outline, id};
use self::report::Report;
use self::subtask::Subtask;
use self::variables::{Variable, variables};
use super::definition::{AgentRole, Definition};
use super::json_text::Level;
use super::parse::{self, FILE_BYTES_MAX, Known, NamedAgent, Partly, Tree, Value};
use crate::events::ids::AgentName;
use crate::events::json::Json;
use crate::events::problem::{Code, Problem, SourceLocation};

/// Whether a file of that name is a Markdown chain.
pub fn is_chain(file: &str) -> bool {
    [".md", ".markdown"].iter().any(|end| file.ends_with(end))
}

/// Reads as much of a chain as possible, to report all that is wrong with it and with the agents that it names. `file` is the
/// name in problems; a chain without a title is named after it.
pub fn read(text: &str, file: &str, known: &Known<'_>) -> Partly {
    let mut report = Report::new(file);
    let Some(chain) = Chain::read(text, file, known, &mut report) else {
        return Partly { problems: report.problems, ..Partly::default() };
    };
    let subtasks = chain.summaries();
    if !report.problems.is_empty() {
        let agents = chain.named(file);
        let Report { mut problems, mut warnings, .. } = report;
        sort(&mut problems);
        sort(&mut warnings);
        return Partly { problems, warnings, agents, subtasks, ..Partly::default() };
    }
    let mut partly = parse::of_tree(&chain.tree, text, file, known);
    partly.warnings.append(&mut report.warnings);
    sort(&mut partly.warnings);
    let stands_in = |named: &mut NamedAgent| named.or_default = true;
    partly.agents.iter_mut().for_each(stands_in);
    if let Some(parsed) = &mut partly.read {
        parsed.agents.iter_mut().for_each(stands_in);
        parsed.warnings.clone_from(&partly.warnings);
    }
    Partly { subtasks, ..partly }
}

/// A chain as a workflow file in YAML that says the same. `bound` is its definition, with the agents as they call themselves.
///
/// # Errors
/// Everything that is wrong with it; [`Code::TooLarge`] for one that would be too long to be read.
pub fn to_yaml(
    text: &str,
    file: &str,
    known: &Known<'_>,
    bound: &Definition,
) -> Result<String, Vec<Problem>> {
    let mut report = Report::new(file);
    let chain = Chain::read(text, file, known, &mut report).filter(|_| report.problems.is_empty());
    let Some(mut chain) = chain else { return Err(report.problems) };
    chain.name_agents(bound);
    let remark = |subtask: &Subtask| {
        let goal = if subtask.goal.is_empty() { "" } else { ": " };
        format!("{}{goal}{}", subtask.name, subtask.goal)
    };
    let remarks: Vec<String> = chain.subtasks.iter().map(remark).collect();
    let yaml = yaml::workflow(&chain.tree, &remarks);
    if yaml.len() > FILE_BYTES_MAX {
        let message =
            format!("as YAML it would have {} bytes, and no more than {FILE_BYTES_MAX} are read", yaml.len());
        return Err(vec![Problem::new(Code::TooLarge, message).at(file, 1, 1)]);
    }
    Ok(yaml)
}

fn sort(problems: &mut [Problem]) {
    problems.sort_by_key(|problem| problem.at.as_ref().map(|at| (at.line, at.column)));
}

/// A chain that was read.
struct Chain {
    subtasks: Vec<Subtask>,
    /// The workflow that it is.
    tree: Tree,
}

impl Chain {
    /// Reads a chain; none if nothing of it can be used. What is wrong is reported.
    fn read(text: &str, file: &str, known: &Known<'_>, report: &mut Report<'_>) -> Option<Self> {
        if text.len() > FILE_BYTES_MAX {
            let message =
                format!("the file has {} bytes, and no more than {FILE_BYTES_MAX} are read", text.len());
            report.problems.push(Problem::new(Code::TooLarge, message).at(file, 1, 1));
            return None;
        }
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let outline = Outline::read(text, report);
        if outline.subtasks.is_empty() || outline.subtasks.len() > crate::events::limits::CHAIN_SUBTASKS_MAX {
            return None;
        }
        let mut subtasks: Vec<Subtask> =
            outline.subtasks.iter().map(|section| Subtask::read(section, report)).collect();
        subtasks.iter_mut().for_each(|subtask| stand_in(subtask, known, report));
        report.step = None;
        let stated = Stated::read(&outline, report);
        let output = outline.output.as_ref();
        let output = output.and_then(|block| Example::read(block, "the example of the final output", report));
        let mut names = Names::new(&subtasks, stated.as_ref().map(Stated::inputs));
        let bound: Vec<Bound<'_>> = names.bind(report);
        advice::advise(&subtasks, &bound, &names.inputs, report);
        let head = build::head(&outline);
        let tree = build::workflow(&head, &subtasks, &bound, &names, output.as_ref().map(Example::json));
        Some(Self { subtasks, tree })
    }

    /// The subtasks as their file says them.
    fn summaries(&self) -> Vec<parse::Subtask> {
        let names = |variables: &[Variable], whole: &dyn Fn(&Variable) -> String| {
            variables.iter().map(whole).collect::<Vec<_>>()
        };
        let summary = |subtask: &Subtask| parse::Subtask {
            step: id(subtask.number),
            name: subtask.name.clone(),
            agent: subtask.agents.first().map(|(name, _)| AgentName::new(name)),
            inputs: names(&subtask.inputs, &|variable| match (variable.name.as_str(), variable.from) {
                ("", Some(number)) => format!("subtask_{number}_output"),
                (name, _) => name.to_owned(),
            }),
            outputs: names(&subtask.outputs, &|variable| variable.name.clone()),
            prompt_length: subtask.prompt.text.chars().count(),
        };
        self.subtasks.iter().map(summary).collect()
    }

    /// The agents that the subtasks name.
    fn named(&self, file: &str) -> Vec<NamedAgent> {
        let of = |subtask: &Subtask| {
            let step = id(subtask.number);
            let named =
                subtask.agents.iter().enumerate().map(move |(index, (name, (line, column)))| NamedAgent {
                    agent: AgentName::new(name),
                    step: step.clone(),
                    role: if index == 0 { AgentRole::Does } else { AgentRole::TakesOver },
                    at: SourceLocation { file: file.to_owned(), line: *line, column: *column },
                    or_default: true,
                });
            named.collect::<Vec<_>>()
        };
        self.subtasks.iter().flat_map(of).collect()
    }

    /// Sets the agents in the tree to those of the definition.
    fn name_agents(&mut self, bound: &Definition) {
        let Value::Map(entries) = &mut self.tree.value else { return };
        let steps = entries.iter_mut().filter(|(key, _)| is(key, "steps"));
        let Some(Value::List(steps)) = steps.map(|(_, steps)| &mut steps.value).next() else { return };
        for (step, of) in steps.iter_mut().zip(&bound.steps) {
            let Value::Map(entries) = &mut step.value else { continue };
            entries.retain(|(key, _)| !is(key, "handoffs") || of.handoffs.is_some());
            for (key, value) in entries {
                if let (true, Some(agent)) = (is(key, "agent"), of.agent()) {
                    value.value = Value::Text(agent.to_string());
                } else if let (true, Some(others)) = (is(key, "handoffs"), &of.handoffs) {
                    let others = others.iter().map(|name| example::text(name.as_str()));
                    value.value = Value::List(others.collect());
                }
            }
        }
    }
}

fn is(key: &Tree, name: &str) -> bool {
    key.value == Value::Text(name.to_owned())
}

/// Has the default agent do a subtask that names nobody.
fn stand_in(subtask: &mut Subtask, known: &Known<'_>, report: &mut Report<'_>) {
    if !subtask.agents.is_empty() {
        return;
    }
    report.step = Some(id(subtask.number));
    let message = format!("subtask {} names no agent", subtask.number);
    match known.default_agent {
        Some(agent) => {
            subtask.agents.push((agent.to_string(), subtask.place));
            let message = format!("{message}: the default agent `{agent}` does it");
            let problem = Problem::new(Code::AgentStandsIn, message);
            report.warn(subtask.place, problem.hint("name who is to do it: `**Agent**: NAME`"));
        }
        None => {
            let problem = Problem::new(Code::NobodyAsked, message);
            let hint = "write `**Agent**: NAME`, or set `default_agent` in the configuration";
            report.refuse(subtask.place, problem.hint(hint));
        }
    }
}

/// The inputs that a chain says it has.
struct Stated {
    variables: Vec<Variable>,
    examples: HashMap<String, Json>,
}

impl Stated {
    fn read(outline: &Outline<'_>, report: &mut Report<'_>) -> Option<Self> {
        let field = outline.inputs.as_ref()?;
        let block = field.blocks.first();
        let example = block.and_then(|block| Example::read(block, "the example of the inputs", report));
        let in_backticks =
            |line: &&lines::Line<'_>| labels::item(line.text).is_some_and(|text| text.starts_with('`'));
        let lines = field.lines.iter().filter(in_backticks).copied().collect();
        let field = outline::Field { line: field.line, lines, ..outline::Field::default() };
        let variables = variables(&field, example.as_ref(), report);
        let members = match example.as_ref().map(|example| Level::of(example.json().text())) {
            Some(Ok(Level::Map(members))) => members,
            _ => Vec::new(),
        };
        let examples =
            members.into_iter().filter_map(|(name, text)| Some((name.into_owned(), Json::parse(text).ok()?)));
        let examples = examples.collect();
        (!variables.is_empty()).then_some(Self { variables, examples })
    }

    fn inputs(&self) -> BTreeMap<&str, Input<'_>> {
        let mut inputs = BTreeMap::new();
        for variable in &self.variables {
            let (says, default) = (variable.says.as_str(), variable.default.clone());
            let example = self.examples.get(&variable.name).cloned();
            inputs.insert(variable.name.as_str(), Input { says, default, example, is_used: false });
        }
        inputs
    }
}
