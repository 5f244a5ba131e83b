//! What is allowed in a chain, and makes it harder to run or to keep.

use std::collections::HashMap;

use super::meaning::{Bound, Input};
use super::outline::id;
use super::report::Report;
use super::subtask::Subtask;

/// From how many subtasks on a chain is better split: each is one more answer that can go wrong, and the next builds on it.
const SUBTASKS_MANY: usize = 10;

/// Names that say nothing of what they hold.
const VAGUE: [&str; 14] = [
    "answer", "content", "context", "data", "info", "input", "output", "params", "response", "result",
    "temp", "text", "value", "x",
];

/// Warns of what the subtasks say.
pub(super) fn advise(
    subtasks: &[Subtask],
    bound: &[Bound<'_>],
    inputs: &Inputs<'_>,
    report: &mut Report<'_>,
) {
    if let Some(first) = subtasks.get(SUBTASKS_MANY) {
        let message = format!("the chain has {} subtasks", subtasks.len());
        report.advise(first.place, message, "split it: more than ten are hard to follow, and to mend");
    }
    if let Some(line) = subtasks.iter().filter_map(|subtask| subtask.older).min() {
        let message =
            "this is the older form of a chain, which shows no example of what is answered".to_owned();
        let hint = "`**Input**:` with a list of - `name`: what it is, and `**Output**:` with an example in JSON say more";
        report.advise((line, 1), message, hint);
    }
    let mut answered: HashMap<&str, u32> = HashMap::new();
    for (subtask, bound) in subtasks.iter().zip(bound) {
        report.step = Some(id(subtask.number));
        names(subtask, &mut answered, inputs, report);
        if !subtask.says_output {
            let message = format!("subtask {} does not say what it answers", subtask.number);
            let hint = "add `**Output**:` with an example in JSON: its answer is checked against that";
            report.advise(subtask.place, message, hint);
        }
        if bound.used.is_empty() && !subtask.prompt.text.is_empty() {
            let message = format!("the prompt of subtask {} uses no variable", subtask.number);
            let hint = "it is told the same in every run: name in braces what it needs, as in {name}";
            report.advise(subtask.prompt.place(0), message, hint);
        } else if let Some((name, _)) = bound.declared.iter().find(|(name, _)| !bound.used.contains(name)) {
            let at = subtask.inputs.iter().find(|variable| variable.name == *name);
            let message =
                format!("subtask {} declares `{name}`, and its prompt does not use it", subtask.number);
            let hint = "name it in the prompt, or take it out: a program gets it as input, a model sees the prompt only";
            report.advise(at.map_or(subtask.place, |variable| variable.place), message, hint);
        }
        if let Some((at, value)) = hard_coded(&subtask.prompt.text) {
            let message = format!("the prompt holds a value that may be another tomorrow: `{value}`");
            let hint = "make it a variable, if it is one";
            report.advise(subtask.prompt.place(at), message, hint);
        }
    }
    report.step = None;
}

/// The inputs of the run, by their names.
pub(super) type Inputs<'c> = std::collections::BTreeMap<&'c str, Input<'c>>;

/// Warns of names that mean two things, or nothing.
fn names<'c>(
    subtask: &'c Subtask,
    answered: &mut HashMap<&'c str, u32>,
    inputs: &Inputs<'_>,
    report: &mut Report<'_>,
) {
    let all = subtask.inputs.iter().filter(|variable| variable.from.is_none()).chain(&subtask.outputs);
    if let Some(vague) = all.into_iter().find(|variable| VAGUE.contains(&variable.name.as_str())) {
        let message = format!("the name `{}` says nothing of what it holds", vague.name);
        report.advise(vague.place, message, "call it by what it is, as in `dns_records`");
    }
    for output in &subtask.outputs {
        let earlier = answered.insert(&output.name, subtask.number);
        let message = match earlier {
            Some(number) => format!(
                "`{}` is answered by subtask {number}, too: from here on this one is meant",
                output.name
            ),
            None if inputs.contains_key(output.name.as_str()) => {
                format!("`{}` is an input of the run, too: from here on this one is meant", output.name)
            }
            None => continue,
        };
        report.advise(output.place, message, "give one of them another name");
    }
}

/// The first value in a prompt that looks as if it belonged to one case: an address, a date. What stands in braces or in an inner
/// block is an example.
fn hard_coded(prompt: &str) -> Option<(usize, &str)> {
    let (mut at, mut depth, mut in_block) = (0, 0_usize, false);
    for line in prompt.split_inclusive('\n') {
        if line.trim_start().starts_with("```") {
            in_block ^= true;
        }
        let mut word_at = at;
        for word in line.split_inclusive(char::is_whitespace) {
            let value = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
            if depth == 0 && !in_block && !word.contains(['{', '}']) && is_of_one_case(value) {
                let inside = word.find(value).unwrap_or_default();
                return Some((word_at + inside, value));
            }
            let count = |brace: char| word.matches(brace).count();
            depth = (depth + count('{')).saturating_sub(count('}'));
            word_at += word.len();
        }
        at += line.len();
    }
    None
}

/// Whether a word is an address of the network or of mail, or a day.
fn is_of_one_case(word: &str) -> bool {
    /// A longer one is no value that somebody typed.
    const BYTES_MAX: usize = 200;
    if word.len() > BYTES_MAX {
        return false;
    }
    let is_url = ["http://", "https://"].iter().any(|scheme| word.starts_with(scheme));
    let parts = |by: char| word.split(by).map(|part| part.parse::<u16>().ok().filter(|_| part.len() <= 4));
    let is_ip = word.matches('.').count() == 3 && parts('.').all(|part| part.is_some_and(|part| part < 256));
    let is_day = word.len() == 10 && word.matches('-').count() == 2 && parts('-').all(|part| part.is_some());
    let is_mail = word.split_once('@').is_some_and(|(who, host)| !who.is_empty() && host.contains('.'));
    is_url || is_ip || is_day || is_mail
}
