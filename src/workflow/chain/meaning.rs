//! What the variables of a chain mean: an input of the run, a member of what an earlier subtask answered, or all of that.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::braces::{Filled, braces, member};
use super::outline::id;
use super::report::Report;
use super::subtask::Subtask;
use super::variables::Variable;
use crate::events::json::Json;
use crate::events::limits::CHAIN_USES_MAX;
use crate::events::problem::{Code, Problem, nearest};

/// What a variable means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning<'c> {
    /// An input of the run.
    Input(&'c str),
    /// A member of what the subtask at that place answered.
    Member(usize, &'c str),
    /// All that the subtask at that place answered.
    Whole(usize),
}

/// What is known of an input of the run.
#[derive(Debug, Clone, Default)]
pub(super) struct Input<'c> {
    /// What it is, in words.
    pub(super) says: &'c str,
    /// What it is when it is not given.
    pub(super) default: Option<Json>,
    /// What it is in the example of the chain's inputs.
    pub(super) example: Option<Json>,
    /// Whether a subtask uses it.
    pub(super) is_used: bool,
}

/// What a subtask gets.
#[derive(Debug, Default)]
pub(super) struct Bound<'c> {
    /// The variables that it declares, in order, with what they mean.
    pub(super) declared: Vec<(&'c str, Meaning<'c>)>,
    /// The places of the subtasks whose answers it uses.
    pub(super) needs: BTreeSet<usize>,
    /// The source of the template of its prompt.
    pub(super) prompt: String,
    /// The names that its prompt uses.
    pub(super) used: HashSet<&'c str>,
}

/// The names that can be used, as far as the subtasks were walked.
pub(super) struct Names<'c> {
    subtasks: &'c [Subtask],
    numbers: HashMap<u32, usize>,
    /// The newest subtask that answers a name.
    newest: HashMap<&'c str, usize>,
    /// The subtasks that answer a name, of those that were not walked yet too.
    anywhere: HashMap<&'c str, usize>,
    pub(super) inputs: BTreeMap<&'c str, Input<'c>>,
    /// Whether the chain says itself what its inputs are.
    are_stated: bool,
    uses: usize,
    told: HashSet<&'c str>,
}

impl<'c> Names<'c> {
    /// The names of a chain whose own inputs are these.
    pub(super) fn new(subtasks: &'c [Subtask], stated: Option<BTreeMap<&'c str, Input<'c>>>) -> Self {
        let numbers = subtasks.iter().enumerate().map(|(place, subtask)| (subtask.number, place)).collect();
        let all = subtasks.iter().enumerate();
        let anywhere = all.flat_map(|(place, subtask)| {
            subtask.outputs.iter().map(move |output| (output.name.as_str(), place))
        });
        let (anywhere, are_stated) = (anywhere.collect(), stated.is_some());
        Self {
            subtasks,
            numbers,
            newest: HashMap::new(),
            anywhere,
            inputs: stated.unwrap_or_default(),
            are_stated,
            uses: 0,
            told: HashSet::new(),
        }
    }

    /// What each subtask gets, in order.
    pub(super) fn bind(&mut self, report: &mut Report<'_>) -> Vec<Bound<'c>> {
        let mut bound = Vec::with_capacity(self.subtasks.len());
        for (place, subtask) in self.subtasks.iter().enumerate() {
            report.step = Some(id(subtask.number));
            let mut of = Bound::default();
            for variable in &subtask.inputs {
                let Some(meaning) = self.declared(place, variable, report) else { continue };
                of.declared.push((self.called(variable, meaning), meaning));
            }
            bound.push(of);
            self.newest.extend(subtask.outputs.iter().map(|output| (output.name.as_str(), place)));
        }
        // A prompt may use what only a later subtask declares as an input of the run.
        self.newest.clear();
        for (place, (subtask, of)) in self.subtasks.iter().zip(&mut bound).enumerate() {
            report.step = Some(id(subtask.number));
            self.prompt(place, subtask, of, report);
            self.newest.extend(subtask.outputs.iter().map(|output| (output.name.as_str(), place)));
        }
        report.step = None;
        bound
    }

    /// By which name a subtask gets a variable.
    fn called(&self, variable: &'c Variable, meaning: Meaning<'c>) -> &'c str {
        match meaning {
            Meaning::Whole(of) if variable.name.is_empty() => {
                self.subtasks.get(of).map_or("", |subtask| subtask.whole.as_str())
            }
            _ => &variable.name,
        }
    }

    /// What a variable means that the subtask at a place declares.
    fn declared(
        &mut self,
        place: usize,
        variable: &'c Variable,
        report: &mut Report<'_>,
    ) -> Option<Meaning<'c>> {
        if let Some(number) = variable.from.or_else(|| number_of_output(&variable.name)) {
            return self.from(place, number, variable, report);
        }
        if let Some(of) = self.newest.get(variable.name.as_str()) {
            return Some(Meaning::Member(*of, &variable.name));
        }
        self.input(place, variable, report);
        Some(Meaning::Input(&variable.name))
    }

    /// What a variable means that comes from the subtask of that number.
    fn from(
        &self,
        place: usize,
        number: u32,
        variable: &'c Variable,
        report: &mut Report<'_>,
    ) -> Option<Meaning<'c>> {
        let refuse = |report: &mut Report<'_>, message: String, hint: String| {
            report.refuse(variable.place, Problem::new(Code::UnknownName, message).hint(hint));
            None
        };
        let of = match self.numbers.get(&number) {
            Some(of) if *of < place => *of,
            Some(_) => {
                let message = format!("it uses what subtask {number} answers, which does not come before it");
                return refuse(report, message, "change the order".to_owned());
            }
            None => {
                let message =
                    format!("it uses what subtask {number} answers, and there is none of that number");
                return refuse(report, message, "check the number, or add the subtask".to_owned());
            }
        };
        if variable.name.is_empty() || number_of_output(&variable.name) == Some(number) {
            return Some(Meaning::Whole(of));
        }
        let outputs = self.subtasks.get(of).map(|subtask| subtask.outputs.as_slice()).unwrap_or_default();
        if !outputs.is_empty() && !outputs.iter().any(|output| output.name == variable.name) {
            let message = format!("subtask {number} does not say that it answers `{}`", variable.name);
            let names: Vec<&str> = outputs.iter().map(|output| output.name.as_str()).collect();
            let hint = match nearest(&variable.name, names.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("it answers `{}`", names.join("`, `")),
            };
            return refuse(report, message, hint);
        }
        Some(Meaning::Member(of, &variable.name))
    }

    /// Notes that the run has to be given a variable.
    fn input(&mut self, place: usize, variable: &'c Variable, report: &mut Report<'_>) {
        let name = variable.name.as_str();
        let later = self.anywhere.get(name).filter(|of| **of >= place).copied();
        let is_new = !self.inputs.contains_key(name);
        if let (Some(of), true) = (later, is_new) {
            let number = self.subtasks.get(of).map_or(0, |subtask| subtask.number);
            let message = format!(
                "`{name}` has to be given to the run: subtask {number} answers it, which is no earlier one"
            );
            report.advise(variable.place, message, "change the order, or give one of the two another name");
        } else if self.are_stated && is_new {
            let message = format!("`{name}` is neither in the inputs of the chain nor answered before");
            let known = self.inputs.keys().copied().chain(self.newest.keys().copied());
            let problem = Problem::new(Code::UnknownName, message);
            let problem = match nearest(name, known) {
                Some(near) => {
                    problem.hint(format!("did you mean `{near}`? As it is, the run has to be given it"))
                }
                None => problem.hint("add it to the inputs of the chain: the run has to be given it"),
            };
            report.warn(variable.place, problem);
        }
        let known = self.inputs.entry(name).or_default();
        known.is_used = true;
        known.default = known.default.take().or_else(|| variable.default.clone());
        if known.says.is_empty() {
            known.says = &variable.says;
        }
    }

    /// Fills the prompt of a subtask, and notes what it uses.
    fn prompt(&mut self, place: usize, subtask: &'c Subtask, of: &mut Bound<'c>, report: &mut Report<'_>) {
        for (_, meaning) in &of.declared {
            of.needs.extend(meaning.subtask());
        }
        let declared: HashMap<&str, Meaning<'c>> = of.declared.iter().copied().collect();
        let (mut filled, mut done) = (Filled::default(), 0);
        let text = subtask.prompt.text.as_str();
        for found in braces(text) {
            let known = declared.get(found.name).copied().or_else(|| self.meaning(place, found.name));
            let Some(meaning) = known else {
                self.unknown(place, subtask, found.name, found.begins, report);
                continue;
            };
            self.uses += 1;
            if self.uses == CHAIN_USES_MAX + 1 {
                let message =
                    format!("the prompts of a chain use variables no more than {CHAIN_USES_MAX} times");
                report.refuse(subtask.prompt.place(found.begins), Problem::new(Code::TooLarge, message));
            }
            if self.uses > CHAIN_USES_MAX {
                break;
            }
            filled.text(text.get(done..found.begins).unwrap_or_default());
            filled.expression(&self.expression(meaning, &found.path));
            done = found.ends;
            of.used.insert(found.name);
            of.needs.extend(meaning.subtask());
            if let Meaning::Input(name) = meaning
                && let Some(input) = self.inputs.get_mut(name)
            {
                input.is_used = true;
            }
        }
        filled.text(text.get(done..).unwrap_or_default());
        of.prompt = filled.source();
    }

    /// What a name means that the subtask at a place uses without having declared it.
    fn meaning(&self, place: usize, name: &str) -> Option<Meaning<'c>> {
        if let Some(number) = number_of_output(name) {
            return self.numbers.get(&number).filter(|of| **of < place).map(|of| Meaning::Whole(*of));
        }
        if let Some((name, of)) = self.newest.get_key_value(name) {
            return Some(Meaning::Member(*of, name));
        }
        self.inputs.get_key_value(name).map(|(name, _)| Meaning::Input(name))
    }

    /// Braces that hold no variable stay as they are; but what looks like one is told of.
    fn unknown(
        &mut self,
        place: usize,
        subtask: &'c Subtask,
        name: &'c str,
        at: usize,
        report: &mut Report<'_>,
    ) {
        /// How many are told of: a prompt may hold a program in a language of braces.
        const TOLD_MAX: usize = 20;
        if self.told.len() >= TOLD_MAX || !self.told.insert(name) {
            return;
        }
        let place_in_file = subtask.prompt.place(at);
        if number_of_output(name).is_some() || self.anywhere.get(name).is_some_and(|of| *of >= place) {
            let message = format!("`{{{name}}}` stays as it is: nothing before this subtask answers it");
            report.advise(place_in_file, message, "change the order, or the number");
            return;
        }
        let declared = subtask.inputs.iter().map(|variable| variable.name.as_str());
        let known = self.inputs.keys().copied().chain(self.newest.keys().copied()).chain(declared);
        if let Some(near) = nearest(name, known.filter(|name| !name.is_empty())) {
            let message = format!("`{{{name}}}` stays as it is: no variable has that name");
            let problem = Problem::new(Code::UnknownName, message);
            report.warn(place_in_file, problem.hint(format!("did you mean `{{{near}}}`?")));
        }
    }

    /// The expression of a variable, and of what is looked up in it. One that is not there skips the subtask.
    pub(super) fn expression(&self, meaning: Meaning<'_>, path: &str) -> String {
        match meaning {
            Meaning::Input(_) if path.is_empty() => self.path(meaning, path),
            _ => format!("{} | needed", self.path(meaning, path)),
        }
    }

    fn path(&self, meaning: Meaning<'_>, path: &str) -> String {
        let step = |of: usize| self.subtasks.get(of).map_or(0, |subtask| subtask.number);
        match meaning {
            Meaning::Input(name) => format!("input{}{path}", member(name)),
            Meaning::Member(of, name) => format!("steps.{}.output{}{path}", id(step(of)), member(name)),
            Meaning::Whole(of) => format!("steps.{}.output{path}", id(step(of))),
        }
    }

    /// A text with variables, when all subtasks are done. What is not there is null.
    pub(super) fn in_the_end(&self, text: &str) -> String {
        let (mut filled, mut done) = (Filled::default(), 0);
        for found in braces(text) {
            let Some(meaning) = self.meaning(usize::MAX, found.name) else { continue };
            filled.text(text.get(done..found.begins).unwrap_or_default());
            filled.expression(&self.or_null(meaning, &found.path));
            done = found.ends;
        }
        filled.text(text.get(done..).unwrap_or_default());
        filled.source()
    }

    /// The expression of a variable, and of what is looked up in it, whose value is null wherever on the way something is not there:
    /// what one subtask lacks takes nothing of the others from the answer.
    fn or_null(&self, meaning: Meaning<'_>, path: &str) -> String {
        let (mut expression, named) = match meaning {
            Meaning::Member(of, name) => (self.path(Meaning::Whole(of), ""), member(name)),
            Meaning::Input(_) | Meaning::Whole(_) => (self.path(meaning, ""), String::new()),
        };
        for part in std::iter::once(named.as_str()).chain(parts(path)).filter(|part| !part.is_empty()) {
            expression = format!("({expression} | default({{}})){part}");
        }
        format!("{expression} | default(none)")
    }

    /// What a run answers where the chain does not say it: what its last subtask answered.
    pub(super) fn last(&self) -> Option<String> {
        let last = self.subtasks.len().checked_sub(1)?;
        let mut filled = Filled::default();
        filled.expression(&self.or_null(Meaning::Whole(last), ""));
        Some(filled.source())
    }
}

/// The members that a path looks up one after the other, as an expression writes each.
fn parts(path: &str) -> impl Iterator<Item = &str> {
    let begins: Vec<usize> = path.match_indices(['.', '[']).map(|(at, _)| at).collect();
    let ends: Vec<usize> = begins.iter().skip(1).copied().chain([path.len()]).collect();
    begins.into_iter().zip(ends).filter_map(|(begins, ends)| path.get(begins..ends))
}

impl Meaning<'_> {
    /// The place of the subtask whose answer it is of.
    fn subtask(self) -> Option<usize> {
        match self {
            Self::Input(_) => None,
            Self::Member(of, _) | Self::Whole(of) => Some(of),
        }
    }
}

/// The number in `subtask_N_output`, which is all that subtask N answered.
fn number_of_output(name: &str) -> Option<u32> {
    name.strip_prefix("subtask_")?.strip_suffix("_output")?.parse().ok()
}
