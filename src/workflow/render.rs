//! Renders a step into the work that an agent gets.

use std::sync::Arc;

use super::cache;
use super::definition::{Does, Items, Step, StepOutput};
use super::expression::view::LazyView;
use super::json_text::Level;
use super::scope::{References, Scope, StepReferences};
use super::template::{RenderError, Template};
use super::work::{Command, Work};
use crate::events::json::Json;

#[cfg(test)]
mod tests;

impl Step {
    /// What must be in the scope to decide whether the step is done, to list its items, and
    /// to render its work.
    pub fn references(&self) -> References {
        let items = self.for_each.as_ref().map(|fan_out| match &fan_out.items {
            Items::Of(expression) => expression.references(),
            Items::List(list) => list.references(),
        });
        let condition = self.condition.iter().map(|condition| condition.references());
        let work = self.templates(&self.does).map(Template::references);
        condition.chain(items).chain(work).collect()
    }

    /// What must be in the scope to render the work that undoes the step. The step itself is never among the
    /// steps: the scope of a compensation has it as [`Scope::undone`].
    pub fn compensation_references(&self) -> References {
        let Some(compensate) = &self.compensate else { return References::default() };
        let mut references: References = self.templates(&compensate.does).map(Template::references).collect();
        if let StepReferences::These(ids) = &mut references.steps {
            ids.remove(&self.id);
        }
        references
    }

    /// The work of the step, rendered.
    ///
    /// # Errors
    /// When an expression has no value: see [`RenderError`].
    pub fn work(&self, scope: &Scope) -> Result<Work, RenderError> {
        self.rendered(&self.does, scope)
    }

    /// The work that undoes the step, rendered, with the step's `env` and `cwd`. The scope has the step as
    /// [`Scope::undone`]. For a step without a compensation that started a child run, the child is named, so
    /// that it can be rolled back.
    ///
    /// # Errors
    /// See [`RenderError`]; also [`RenderError::Failed`] when the step has no compensation.
    pub fn compensation(&self, scope: &Scope) -> Result<Work, RenderError> {
        match (&self.compensate, &self.does) {
            (Some(compensate), _) => self.rendered(&compensate.does, scope),
            (None, Does::Workflow { file, .. }) => {
                Ok(Work { workflow: Some(file.clone()), ..Work::default() })
            }
            (None, _) => Err(RenderError::Failed(format!("step `{}` has no compensation", self.id))),
        }
    }

    /// What must be in the scope to make the step's output of what it answered.
    pub fn output_references(&self) -> References {
        match &self.output {
            None => References::default(),
            Some(StepOutput::Of(expression)) => expression.references().clone(),
            Some(StepOutput::Made(template)) => template.references().clone(),
        }
    }

    /// The step's output, made of what it answered, which the scope has as [`Scope::answer`]; none if its output is all of
    /// that.
    ///
    /// # Errors
    /// When an expression has no value: see [`RenderError`].
    pub fn made_output(&self, scope: &Scope) -> Result<Option<Json>, RenderError> {
        match &self.output {
            None => Ok(None),
            Some(StepOutput::Of(expression)) => expression.evaluate(scope).map(Some),
            Some(StepOutput::Made(template)) => template.render(scope).map(Some),
        }
    }

    /// All templates that are rendered for a work of the step.
    pub(super) fn templates<'a>(&'a self, does: &'a Does) -> impl Iterator<Item = &'a Template> {
        let does: [Option<&Template>; 2] = match does {
            Does::Run(run) => [Some(run), None],
            Does::Agent { with, prompt, .. } => [with.as_ref(), prompt.as_ref()],
            Does::Workflow { with, .. } => [with.as_ref(), None],
            Does::Sleep(_) | Does::WaitFor(_) | Does::AskOfPhase => [None, None],
        };
        let files = self.cache.as_ref().and_then(|cache| cache.files.as_ref());
        let beside = self.cwd.iter().chain(files).chain(&self.conversation);
        does.into_iter().flatten().chain(self.env.values()).chain(beside)
    }

    fn rendered(&self, does: &Does, scope: &Scope) -> Result<Work, RenderError> {
        let view = LazyView::new(scope);
        let mut work = Work::default();
        if let Some(cwd) = &self.cwd {
            work.cwd = Some(for_a_program(cwd.render_text(&view)?)?);
        }
        for (name, value) in &self.env {
            work.env.insert(name.clone(), for_a_program(value.render_text(&view)?)?);
        }
        match does {
            Does::Run(run) => work.run = Some(command(run, &view)?),
            Does::Agent { with, prompt, .. } => {
                work.with = with.as_ref().map(|with| with.render_in(&view)).transpose()?.unwrap_or_default();
                work.prompt = prompt.as_ref().map(|prompt| prompt.render_text(&view)).transpose()?;
            }
            Does::Workflow { file, with } => {
                work.with = with.as_ref().map(|with| with.render_in(&view)).transpose()?.unwrap_or_default();
                work.workflow = Some(file.clone());
            }
            Does::Sleep(_) | Does::WaitFor(_) | Does::AskOfPhase => {}
        }
        Ok(work)
    }

    /// The globs of the files that its answer hangs on, if it may take an earlier one.
    ///
    /// # Errors
    /// When an expression has no value, or a text is no glob of files in the work folder: see [`RenderError`].
    pub fn cached_files(&self, scope: &Scope) -> Result<Vec<Arc<str>>, RenderError> {
        let Some(files) = self.cache.as_ref().and_then(|cache| cache.files.as_ref()) else {
            return Ok(Vec::new());
        };
        let globs = files.render_texts(&LazyView::new(scope))?;
        globs.iter().try_for_each(|glob| cache::check_glob(glob).map_err(RenderError::Failed))?;
        Ok(globs.into_iter().map(Arc::from).collect())
    }

    /// The name of the conversation with which it goes on; empty if it goes on with none.
    ///
    /// # Errors
    /// When an expression has no value: see [`RenderError`].
    pub fn conversation(&self, scope: &Scope) -> Result<String, RenderError> {
        let name = self.conversation.as_ref().map(|name| name.render_text(&LazyView::new(scope)));
        Ok(name.transpose()?.unwrap_or_default())
    }

    /// The items of its fan-out; empty if it has no `for_each`.
    ///
    /// # Errors
    /// When an expression has no value: see [`RenderError`].
    pub fn items(&self, scope: &Scope) -> Result<Vec<Json>, RenderError> {
        let list = match self.for_each.as_ref().map(|fan_out| &fan_out.items) {
            None => return Ok(Vec::new()),
            Some(Items::Of(expression)) => expression.evaluate(scope)?,
            Some(Items::List(list)) => list.render(scope)?,
        };
        let kind = match Level::of(list.text()) {
            Ok(Level::List(items)) => {
                return Ok(items.into_iter().filter_map(|item| Json::parse(item).ok()).collect());
            }
            Ok(Level::Map(_)) => "an object",
            Ok(Level::Text(_)) => "a text",
            Ok(Level::Number(_)) => "a number",
            Ok(Level::Bool(_)) => "true or false",
            Ok(Level::Null) | Err(_) => "null",
        };
        Err(RenderError::NotAList(kind))
    }
}

/// A list is executed as it is, its items never quoted; a text is for the shell.
fn command(run: &Template, view: &LazyView<'_>) -> Result<Command, RenderError> {
    if run.is_list() {
        let words = run.render_texts(view)?.into_iter().map(for_a_program);
        return words.collect::<Result<_, _>>().map(Command::List);
    }
    run.render_shell(view).and_then(for_a_program).map(Command::Shell)
}

/// A text that a program gets as an argument, a variable or a folder: it may not hold a zero byte,
/// which would end it.
fn for_a_program(text: String) -> Result<String, RenderError> {
    if text.contains('\0') {
        return Err(RenderError::Failed(
            "a text for a program holds a zero byte, which cannot be passed on".to_owned(),
        ));
    }
    Ok(text)
}
