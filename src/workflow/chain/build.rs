//! A chain as the tree of the workflow file that says the same: what YAML is read into. So all that is true of a workflow is true
//! of a chain, and there is nothing to be converted but how it is written.

use super::example::{at, node, text, tree};
use super::meaning::{Bound, Input, Meaning, Names};
use super::outline::{Outline, id};
use super::report::Place;
use super::subtask::Subtask;
use crate::events::json::Json;
use crate::workflow::parse::{Tree, Value};

/// An entry of a map.
type Entry = (Tree, Tree);

fn entry(key: &str, value: Tree) -> Entry {
    (at(text(key), (value.line, value.column)), value)
}

fn text_at(value: &str, place: Place) -> Tree {
    at(text(value), place)
}

/// What the workflow is called, and what is said of it.
pub(super) struct Head {
    /// Its name; none where that of the file is meant.
    pub(super) name: Option<(String, Place)>,
    pub(super) description: Option<String>,
    pub(super) version: Option<(String, Place)>,
}

/// The whole chain. `output` is the example of what it answers in the end.
pub(super) fn workflow(
    head: &Head,
    subtasks: &[Subtask],
    bound: &[Bound<'_>],
    names: &Names<'_>,
    output: Option<&Json>,
) -> Tree {
    let mut entries = Vec::new();
    entries.extend(head.name.as_ref().map(|(name, place)| entry("name", text_at(name, *place))));
    entries.extend(head.description.as_ref().map(|about| entry("description", text(about))));
    entries.extend(head.version.as_ref().map(|(version, place)| entry("version", text_at(version, *place))));
    if !names.inputs.is_empty() {
        entries.push(entry("input", input(names)));
    }
    let steps = subtasks.iter().zip(bound).map(|(subtask, bound)| step(subtask, bound, subtasks, names));
    entries.push(entry("steps", node(Value::List(steps.collect()))));
    let output = match output {
        Some(example) => Some(tree(example.text(), &mut |text| names.in_the_end(text))),
        None => names.last().map(|last| text(&last)),
    };
    entries.extend(output.map(|output| entry("output", output)));
    node(Value::Map(entries))
}

/// The schema of what a run is given: what a subtask uses has to be there, of whatever kind it is.
fn input(names: &Names<'_>) -> Tree {
    let as_is = &mut |text: &str| text.to_owned();
    let required = |input: &Input<'_>| input.is_used && input.default.is_none();
    let required_names: Vec<Tree> =
        names.inputs.iter().filter(|(_, input)| required(input)).map(|(name, _)| text(name)).collect();
    let mut properties = Vec::new();
    for (name, input) in &names.inputs {
        let mut says = Vec::new();
        if !input.says.is_empty() {
            says.push(entry("description", text(input.says)));
        }
        says.extend(input.default.iter().map(|default| entry("default", tree(default.text(), as_is))));
        says.extend(
            input
                .example
                .iter()
                .map(|example| entry("examples", node(Value::List(vec![tree(example.text(), as_is)])))),
        );
        properties.push(entry(name, node(Value::Map(says))));
    }
    let mut entries = vec![entry("type", text("object"))];
    if !required_names.is_empty() {
        entries.push(entry("required", node(Value::List(required_names))));
    }
    entries.push(entry("properties", node(Value::Map(properties))));
    node(Value::Map(entries))
}

fn step(subtask: &Subtask, bound: &Bound<'_>, subtasks: &[Subtask], names: &Names<'_>) -> Tree {
    let mut entries = vec![entry("id", text_at(id(subtask.number).as_str(), subtask.place))];
    let mut agents = subtask.agents.iter().map(|(name, place)| text_at(name, *place));
    entries.extend(agents.next().map(|agent| entry("agent", agent)));
    let others: Vec<Tree> = agents.collect();
    if !others.is_empty() {
        entries.push(entry("handoffs", node(Value::List(others))));
    }
    let needs = bound.needs.iter().filter_map(|place| subtasks.get(*place));
    let needs = needs.map(|needed| text_at(id(needed.number).as_str(), subtask.place)).collect();
    entries.push(entry("needs", node(Value::List(needs))));
    if !bound.declared.is_empty() {
        let with = bound.declared.iter().map(|(name, meaning)| (*name, value(*meaning, names)));
        let with = with.map(|(name, value)| entry(name, text_at(&value, subtask.place)));
        entries.push(entry("with", node(Value::Map(with.collect()))));
    }
    entries.push(entry("prompt", text_at(&bound.prompt, subtask.prompt.place(0))));
    entries.extend(subtask.example.as_ref().map(|example| entry("schema", example.schema())));
    at_line(node(Value::Map(entries)), subtask.place)
}

/// The template of the value of a variable.
fn value(meaning: Meaning<'_>, names: &Names<'_>) -> String {
    format!("{{{{ {} }}}}", names.expression(meaning, ""))
}

/// The same tree, beginning at that place.
fn at_line(tree: Tree, (line, column): Place) -> Tree {
    Tree { line, column, ..tree }
}

/// What stands at the top of a chain.
pub(super) fn head(outline: &Outline<'_>) -> Head {
    use crate::events::text::shortened;
    /// As long as a list of runs shows, and more.
    const NAME_CHARS_MAX: usize = 200;
    const ABOUT_CHARS_MAX: usize = 1_000;
    let name = outline.title.filter(|(title, _)| !title.trim().is_empty());
    let about = outline.about.join(" ");
    let version = outline.version.filter(|(version, _)| !version.is_empty());
    Head {
        name: name.map(|(title, place)| (shortened(title.trim(), NAME_CHARS_MAX).into_owned(), place)),
        description: (!about.is_empty()).then(|| shortened(&about, ABOUT_CHARS_MAX).into_owned()),
        version: version.map(|(version, place)| (shortened(version, NAME_CHARS_MAX).into_owned(), place)),
    }
}
