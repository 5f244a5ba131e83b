//! From a step to the work that an agent gets.

use super::definition::{Does, Items, Step};
use super::json_text::Level;
use super::scope::view::LazyView;
use super::scope::{References, Scope};
use super::template::{RenderError, Template};
use super::work::{Command, Work};
use crate::events::json::Json;

impl Step {
    /// What must be in the scope to decide whether the step is done, over which items, and to render its work.
    pub fn references(&self) -> References {
        let does: [Option<&Template>; 2] = match &self.does {
            Does::Run(run) => [Some(run), None],
            Does::Agent { with, prompt, .. } => [with.as_ref(), prompt.as_ref()],
            Does::Sleep(_) => [None, None],
        };
        let items = self.for_each.as_ref().map(|fan_out| match &fan_out.items {
            Items::Of(expression) => expression.references(),
            Items::List(list) => list.references(),
        });
        let templates = does.into_iter().flatten().chain(self.env.values()).chain(&self.cwd);
        let condition = self.condition.iter().map(|condition| condition.references());
        condition.chain(items).chain(templates.map(Template::references)).collect()
    }

    /// The step, rendered.
    ///
    /// # Errors
    /// See [`RenderError`].
    pub fn work(&self, scope: &Scope) -> Result<Work, RenderError> {
        let view = LazyView::new(scope);
        let text = |template: &Option<Template>| template.as_ref().map(|t| t.render_text(&view)).transpose();
        let mut work = Work { cwd: text(&self.cwd)?, ..Work::default() };
        for (name, value) in &self.env {
            work.env.insert(name.clone(), value.render_text(&view)?);
        }
        match &self.does {
            Does::Run(run) => work.run = Some(command(run, &view)?),
            Does::Agent { with, prompt, .. } => {
                work.with = with.as_ref().map(|with| with.render_in(&view)).transpose()?.unwrap_or_default();
                work.prompt = text(prompt)?;
            }
            Does::Sleep(_) => {}
        }
        Ok(work)
    }

    /// The items of its fan-out; none if it has no `for_each`.
    ///
    /// # Errors
    /// See [`RenderError`].
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
        return run.render_texts(view).map(Command::List);
    }
    run.render_shell(view).map(Command::Shell)
}
