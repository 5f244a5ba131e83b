//! A scope as the template engine sees it.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use minijinja::value::{Enumerator, Object, Value};

use super::document::value_of;
use super::engine::MUST;
use crate::events::ids::StepId;
use crate::events::run::Undoes;
use crate::workflow::scope::{Scope, StepView, Undone};

/// A scope as the root of an evaluation.
pub(crate) struct View {
    root: Arc<Root>,
}

impl View {
    /// What expressions see of that scope.
    pub(crate) fn new(scope: &Scope) -> Self {
        let missing = Arc::<Missing>::default();
        let seen = |(id, step): (&StepId, &StepView)| {
            let step = Step { id: id.clone(), step: step.clone(), missing: Arc::clone(&missing) };
            (id.to_string(), Value::from_object(step))
        };
        let undone = scope.undone.iter().map(|undone| (&undone.step, &undone.view));
        let steps: BTreeMap<String, Value> = scope.steps.iter().chain(undone).map(seen).collect();
        let mut names = BTreeMap::from([
            ("input", value_of(&scope.input)),
            ("run", Value::from_pairs([("id", scope.run.as_str())])),
            ("env", Value::from_pairs(scope.env.iter().map(|(name, value)| (name.clone(), value.clone())))),
            ("steps", Value::from(steps)),
            (
                "context",
                Value::from_pairs(scope.context.iter().map(|(key, value)| (key.clone(), value_of(value)))),
            ),
        ]);
        if !scope.contexts.is_empty() {
            let contexts = scope.contexts.iter().map(|(alias, keys)| {
                let keys = keys.iter().map(|(key, value)| (key.clone(), value_of(value)));
                (alias.clone(), Value::from_pairs(keys))
            });
            names.insert("contexts", Value::from_pairs(contexts));
        }
        if let Some((index, item)) = &scope.item {
            names.insert("index", Value::from(*index));
            names.insert("item", value_of(item));
        }
        if let Some((round, output)) = &scope.round {
            names.insert("round", Value::from(*round));
            names.insert("output", value_of(output));
        }
        if let Some(answer) = &scope.answer {
            names.insert("output", value_of(answer));
        }
        if let Some(Undone { outcome, view, .. }) = &scope.undone {
            let (outcome, output) = match outcome {
                Undoes::Completed => ("completed", view.output.as_ref()),
                Undoes::Unknown => ("unknown", None),
            };
            names.insert("outcome", Value::from(outcome));
            names.insert("output", output.map_or(Value::from(()), value_of));
        }
        Self { root: Arc::new(Root { names, missing }) }
    }

    /// The value that the engine evaluates against.
    pub(crate) fn root(&self) -> Value {
        Value::from_dyn_object(Arc::clone(&self.root))
    }

    /// After an evaluation that met something undefined: the step whose missing output it was, if it was one.
    pub(crate) fn missing(&self) -> Option<StepId> {
        self.root.missing.asked().clone()
    }
}

/// The object that holds the variables.
#[derive(Debug)]
struct Root {
    names: BTreeMap<&'static str, Value>,
    missing: Arc<Missing>,
}

impl Object for Root {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    /// A path begins here, so what earlier paths asked for was either there or allowed to be undefined. (The
    /// engine also looks up the name of the check here, after the path that it checks.)
    fn get_value_by_str(self: &Arc<Self>, name: &str) -> Option<Value> {
        if name != MUST {
            *self.missing.asked() = None;
        }
        self.names.get(name).cloned()
    }
}

/// The step whose output was asked for last and is missing. Asking alone is no error: the expression
/// may test for it.
#[derive(Debug, Default)]
struct Missing(Mutex<Option<StepId>>);

impl Missing {
    fn asked(&self) -> MutexGuard<'_, Option<StepId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A scope whose [`View`] is made when the first expression needs it: most steps have no expression.
pub(crate) struct LazyView<'a> {
    scope: &'a Scope,
    view: OnceCell<View>,
}

impl<'a> LazyView<'a> {
    /// A view of that scope, which is not made yet.
    pub(crate) fn new(scope: &'a Scope) -> Self {
        Self { scope, view: OnceCell::new() }
    }

    /// The view, which is made at the first call.
    pub(crate) fn get(&self) -> &View {
        self.view.get_or_init(|| View::new(self.scope))
    }
}

/// The variable `steps.ID`, with its attributes.
#[derive(Debug)]
struct Step {
    id: StepId,
    step: StepView,
    missing: Arc<Missing>,
}

impl Object for Step {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_str()? {
            "status" => Some(Value::from(self.step.status)),
            "attempts" => Some(Value::from(self.step.attempts)),
            "output" => {
                if self.step.output.is_none() {
                    *self.missing.asked() = Some(self.id.clone());
                }
                self.step.output.as_ref().map(value_of)
            }
            _ => None,
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        match self.step.output {
            Some(_) => Enumerator::Str(&["status", "attempts", "output"]),
            None => Enumerator::Str(&["status", "attempts"]),
        }
    }
}
