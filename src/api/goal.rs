//! Goals: a run in which an agent plans tasks that reach it, and others do them.

use std::path::Path;

use serde_json::{Value, json};

use super::spec::{RunSpec, Workflow};
use crate::events::ids::AgentName;
use crate::events::json::Json;
use crate::events::problem::{Code, Problem};
use crate::views::presenters::team;
use crate::workflow::definition::{PlanOfTasks, is_built_in};

/// The name of the workflow that reaches a goal.
pub const GOAL: &str = "goal";

/// The step in which an agent plans.
pub const PLAN: &str = "plan";

/// The members of the input of such a run.
const REQUIREMENTS: &str = "requirements";
const CONTEXT: &str = "context";

/// What is to be reached, and by whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Goal {
    /// What is to be reached, in words.
    pub goal: String,
    /// What it has to fulfil.
    pub requirements: Option<String>,
    /// What there is to know of the place where it is reached.
    pub context: Option<String>,
    /// The path of the file that tells how far the team is, in the folder in which it works; none if there is none.
    pub team_file: Option<String>,
    /// The agent that plans.
    pub manager: AgentName,
    /// To whom tasks may be assigned; empty for all that are usable, but for the one that plans.
    pub agents: Vec<AgentName>,
    /// How many tasks, mended plans and questions to the agent that plans there may be together.
    pub iterations_max: u32,
    /// Whether people have to grant the plan before its tasks start.
    pub approve_plan: bool,
}

impl Goal {
    /// A run that reaches it, with that as its input.
    ///
    /// # Errors
    /// [`Code::BadValue`] for what is no name of an agent, or names one that is built in.
    pub fn spec(&self) -> Result<RunSpec, Problem> {
        for agent in self.agents.iter().chain([&self.manager]) {
            agent.check().map_err(|error| Problem::new(Code::BadValue, error.to_string()))?;
            if is_built_in(agent) {
                let message = format!("the agent `{agent}` is built in, and can be assigned nothing");
                return Err(Problem::new(Code::BadValue, message).hint("name another agent"));
            }
        }
        let about = self.about();
        let plan = json!({
            "agents": self.agents,
            "context": about,
            "repairs": PlanOfTasks::REPAIRS,
            "max": self.iterations_max,
        });
        let prompt = format!(
            "Plan how this goal is reached: cut it into tasks, each for one agent, and say which needs what another makes.\n\n{about}"
        );
        let mut step = json!({
            "id": PLAN,
            "does": {"agent": {"agent": self.manager, "prompt": prompt}},
            "plan": plan,
        });
        if let (true, Value::Object(step)) = (self.approve_plan, &mut step) {
            step.insert("approval".to_owned(), json!({"gate": "after", "needed": 1}));
        }
        let definition = json!({
            "name": GOAL,
            "input": {"type": "object", "required": [GOAL]},
            // What was done by other agents stays, so that somebody can look at it and let the run go on.
            "on_failure": "stop",
            "steps": [step],
            "output": format!("{{{{ steps['{PLAN}/integration'].output }}}}"),
        });
        let spec = RunSpec::new(Workflow::Definition(Json::from(&definition)));
        spec.input(&Value::Object(self.input().into_iter().collect()))
    }

    /// The members of its input.
    pub fn input(&self) -> Vec<(String, Value)> {
        let members = [
            (GOAL, Some(&self.goal)),
            (REQUIREMENTS, self.requirements.as_ref()),
            (CONTEXT, self.context.as_ref()),
        ];
        let member =
            |(name, text): (&str, Option<&String>)| Some((name.to_owned(), Value::from(text?.as_str())));
        members.into_iter().filter_map(member).collect()
    }

    /// What every agent is told of it, as a template: texts of the input are no expressions.
    fn about(&self) -> String {
        let mut about = format!("## The goal\n\n{{{{ input.{GOAL} }}}}\n");
        if self.requirements.is_some() {
            about.push_str(&format!("\n## What it has to fulfil\n\n{{{{ input.{REQUIREMENTS} }}}}\n"));
        }
        if self.context.is_some() {
            about.push_str(&format!("\n## What there is to know\n\n{{{{ input.{CONTEXT} }}}}\n"));
        }
        if let Some(file) = &self.team_file {
            let file = file.replace("{{", "{{ '{{' }}");
            let own = team::beside(Path::new(&file), "{{ run.id }}").display().to_string();
            about.push_str(&format!(
                "\nWho does what, and how far that is, stands in the file `{file}`, or, while that tells of another run than `{{{{ run.id }}}}`, in `{own}`. It is written for you: do not change it.\n"
            ));
        }
        about
    }
}
