//! Which values a step uses, as its expressions name them: for whoever tells where a value came from.

use super::definition::{Does, Items, Step};
use super::expression::Expression;
use super::expression::names::{Names, Path};
use super::pieces::Piece;
use super::template::Template;
use crate::events::ids::StepId;

/// A value that is used.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Use {
    /// How the expression names it: `steps.build.output.file`.
    pub path: String,
    /// Who it is of.
    pub of: Whose,
}

/// Who a value is of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Whose {
    /// A step.
    Step(StepId),
    /// Any step: its name is computed, as in `steps[name]`.
    SomeStep,
    /// The input of the run.
    Input,
    /// The environment in which the run was started.
    Environment,
    /// What the agents of the run share: the key, where it is named.
    Context(Option<String>),
    /// What runs share: the alias of the context, and the key.
    Shared(String, String),
    /// The item that the step is for, its index, or the round of a loop.
    Part,
    /// The run itself.
    Run,
}

impl Step {
    /// What its `if` uses.
    pub fn used_by_condition(&self) -> Vec<Use> {
        sorted(self.condition.iter().flat_map(of_expression))
    }

    /// What its list of items and its work use, and the expression that ends its loop.
    pub fn used_to_do(&self) -> Vec<Use> {
        let items = self.for_each.iter().flat_map(|fan_out| match &fan_out.items {
            Items::Of(expression) => of_expression(expression),
            Items::List(list) => of_template(list),
        });
        let until = self.repeat.iter().flat_map(|repeat| of_expression(&repeat.until));
        sorted(items.chain(self.used_by(&self.does)).chain(until))
    }

    /// What its compensation uses: its own output among the rest.
    pub fn used_to_undo(&self) -> Vec<Use> {
        sorted(self.compensate.iter().flat_map(|compensate| self.used_by(&compensate.does)))
    }

    fn used_by(&self, does: &Does) -> Vec<Use> {
        let own = |mut used: Use| {
            if used.of == Whose::Part && used.path.starts_with("output") {
                used.of = Whose::Step(self.id.clone());
            }
            used
        };
        self.templates(does).flat_map(of_template).map(own).collect()
    }
}

impl Template {
    /// What its expressions use.
    pub fn uses(&self) -> Vec<Use> {
        sorted(of_template(self))
    }
}

/// Each once.
fn sorted(uses: impl IntoIterator<Item = Use>) -> Vec<Use> {
    let mut uses: Vec<Use> = uses.into_iter().collect();
    uses.sort();
    uses.dedup();
    uses
}

fn of_template(template: &Template) -> Vec<Use> {
    let mut uses = Vec::new();
    template.root().see(&mut |pieces| {
        for piece in pieces {
            if let Piece::Value { expression, .. } = piece {
                uses.extend(of_expression(expression));
            }
        }
    });
    uses
}

fn of_expression(expression: &Expression) -> Vec<Use> {
    let source = expression.source();
    Names::of(source)
        .paths
        .iter()
        .filter_map(|path| Some(Use { path: written(source, path)?, of: whose(path)? }))
        .collect()
}

fn written(source: &str, path: &Path<'_>) -> Option<String> {
    source.get(path.at..path.end).map(str::to_owned)
}

fn whose(path: &Path<'_>) -> Option<Whose> {
    Some(match path.root {
        "steps" => match path.attributes.first() {
            Some((name, _)) => Whose::Step(StepId::grown(name)),
            None => Whose::SomeStep,
        },
        "input" => Whose::Input,
        "context" => Whose::Context(path.attributes.first().map(|(key, _)| (*key).to_owned())),
        "contexts" => match path.attributes.as_slice() {
            [(alias, _), (key, _), ..] => Whose::Shared((*alias).to_owned(), (*key).to_owned()),
            _ => return None,
        },
        "env" => Whose::Environment,
        "item" | "index" | "round" | "output" | "outcome" => Whose::Part,
        "run" => Whose::Run,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workflow::parse::{Known, parse};

    fn step(yaml: &str) -> Step {
        let file = format!("name: w\nsteps: [{{id: a, run: 'true'}}, {{id: b-c, run: 'true'}}, {yaml}]");
        let parsed = parse(&file, "w.yaml", &Known::default()).unwrap();
        Step::clone(&parsed.definition.steps[2])
    }

    fn paths(uses: &[Use]) -> Vec<&str> {
        uses.iter().map(|used| used.path.as_str()).collect()
    }

    #[test]
    fn values_are_told_as_they_are_written_each_once() {
        let z = step(
            "{id: z, if: \"steps.a.status == 'completed'\", run: 'x {{ steps.a.output.x[0] }} {{ input.n }} {{ input.n }} {{ run.id }}', env: {K: \"{{ steps['b-c'].output }}\"}, compensate: {run: 'u {{ output }}'}}",
        );
        assert_eq!(paths(&z.used_by_condition()), ["steps.a.status"]);
        let work = z.used_to_do();
        assert_eq!(paths(&work), ["input.n", "run.id", "steps.a.output.x[0]", "steps['b-c'].output"]);
        let whose: Vec<_> = work.iter().map(|used| used.of.clone()).collect();
        let of = |id: &str| Whose::Step(StepId::grown(id));
        assert_eq!(whose, [Whose::Input, Whose::Run, of("a"), of("b-c")]);
        assert!(z.used_to_undo().contains(&Use { path: "output".into(), of: of("z") }));
    }

    #[test]
    fn items_belong_to_the_work_of_a_fan_out() {
        let z = step("{id: z, for_each: steps.a.output.list, run: 'x {{ item }}'}");
        assert_eq!(paths(&z.used_to_do()), ["item", "steps.a.output.list"]);
    }
}
