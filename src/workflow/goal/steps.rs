//! The steps that the tasks of a plan become. They are written as the list of an `add_steps`, so that they are read, checked and
//! bounded like any others. No text of a plan is an expression.

use serde_json::{Value, json};

use super::{Decision, Goal, INTEGRATION, OUTCOME_CHARS_TOLD, PlannedTask, TESTS, TaskPlan};
use crate::events::ids::AgentName;
use crate::events::json::Json;
use crate::workflow::definition::Integrate;
use crate::workflow::template::Template;

/// What every agent is asked to answer.
const FORM: &str = r#"## How to answer

Answer with one object of JSON:

```json
{"status": "completed", "progress": 100, "completed_items": [], "files_modified": [], "test_results": "", "test_suites": [], "blockers": [], "notes": ""}
```

`status` is `completed`, `failed` or `blocked`. Put into `blockers` what keeps you from going on, each in a sentence: who planned is asked about it then. `test_suites` is a list of `{"name": "", "tests_run": 0, "passed": 0, "failed": 0}`. Leave out what you have nothing to say of.
"#;

impl Goal<'_> {
    /// The steps of a plan.
    pub(super) fn steps_of(&self, plan: &TaskPlan) -> Json {
        let mut steps: Vec<Value> = plan.tasks.iter().map(|task| self.task(task, plan)).collect();
        let mut needs: Vec<&str> = plan.tasks.iter().map(|task| task.step.as_str()).collect();
        if let Some(test) = &self.plan.test {
            steps.push(json!({"id": TESTS, "run": source(test), "needs": needs}));
            needs.push(TESTS);
        }
        let by = match &self.plan.integrate {
            Integrate::Planner => Some(self.manager),
            Integrate::By(agent) => Some(agent),
            Integrate::Nobody => None,
        };
        if let Some(by) = by {
            steps.push(self.integration(by, &needs, plan));
        }
        Json::from(&Value::Array(steps))
    }

    fn task(&self, task: &PlannedTask, plan: &TaskPlan) -> Value {
        let needed: Vec<&PlannedTask> = task.needs.iter().filter_map(|at| plan.tasks.get(*at)).collect();
        let decisions: Vec<&Decision> =
            plan.decisions.iter().filter(|decision| decision.affects(&task.agent)).collect();
        let mut prompt = format!("## Your task: {}\n\n{}\n", escaped(&task.id), escaped(&task.description));
        list(&mut prompt, "Deliverables", task.deliverables.iter().map(|item| escaped(item)));
        list(&mut prompt, "What was decided", decisions.iter().map(|decision| decision.line()));
        for (at, needed) in needed.iter().enumerate() {
            if at == 0 {
                prompt.push_str("\n## What it builds on\n");
            }
            prompt.push_str(&outcome(needed));
        }
        self.add_context(&mut prompt);
        prompt.push_str(&format!("\n{FORM}"));
        let outputs: serde_json::Map<String, Value> =
            needed.iter().map(|needed| (needed.id.clone(), outcome_of(needed))).collect();
        json!({
            "id": task.step,
            "agent": task.agent,
            "needs": needed.iter().map(|needed| needed.step.as_str()).collect::<Vec<_>>(),
            "prompt": prompt,
            "with": {
                "task_id": escaped(&task.id),
                "description": escaped(&task.description),
                "deliverables": task.deliverables.iter().map(|item| escaped(item)).collect::<Vec<_>>(),
                "decisions": decisions.iter().map(|decision| decision.json()).collect::<Vec<_>>(),
                "dependencies": outputs,
            },
        })
    }

    fn integration(&self, by: &AgentName, needs: &[&str], plan: &TaskPlan) -> Value {
        let mut prompt = "## Bring it together\n\nAll tasks of the plan are done. See whether what they came to reaches the goal, bring it together, and say what was made.\n\n## What the tasks came to\n".to_owned();
        plan.tasks.iter().for_each(|task| prompt.push_str(&outcome(task)));
        let mut outputs: serde_json::Map<String, Value> =
            plan.tasks.iter().map(|task| (task.id.clone(), outcome_of(task))).collect();
        if self.plan.test.is_some() {
            prompt.push_str(&format!("\n### The tests\n\n{}\n", shortly(TESTS)));
            outputs.insert(TESTS.to_owned(), json!({"output": whole(TESTS)}));
        }
        list(&mut prompt, "What was decided", plan.decisions.iter().map(Decision::line));
        self.add_context(&mut prompt);
        prompt.push_str(&format!("\n{FORM}"));
        let decisions: Vec<Value> = plan.decisions.iter().map(Decision::json).collect();
        json!({
            "id": INTEGRATION,
            "agent": by,
            "needs": needs,
            "prompt": prompt,
            "with": {"tasks": outputs, "decisions": decisions},
        })
    }

    fn add_context(&self, prompt: &mut String) {
        if let Some(Value::String(context)) = self.plan.context.as_ref().map(source) {
            prompt.push_str(&format!("\n{}\n", context.trim_end()));
        }
    }
}

impl Decision {
    fn affects(&self, agent: &AgentName) -> bool {
        self.affected.is_empty() || self.affected.contains(agent)
    }

    fn line(&self) -> String {
        let why = if self.rationale.is_empty() { String::new() } else { format!(" ({})", self.rationale) };
        escaped(&format!("{}{why}", self.decision))
    }

    fn json(&self) -> Value {
        json!({
            "decision": escaped(&self.decision),
            "rationale": escaped(&self.rationale),
            "affected_agents": self.affected,
        })
    }
}

/// What a task came to, in a prompt.
fn outcome(task: &PlannedTask) -> String {
    format!("\n### {}, by {}\n\n{}\n", escaped(&task.id), escaped(task.agent.as_str()), shortly(&task.step))
}

/// The same as JSON.
fn outcome_of(task: &PlannedTask) -> Value {
    json!({"agent": escaped(task.agent.as_str()), "output": whole(&task.step)})
}

fn whole(step: &str) -> String {
    format!("{{{{ steps['{step}'].output }}}}")
}

fn shortly(step: &str) -> String {
    format!("{{{{ (steps['{step}'].output | tojson)[:{OUTCOME_CHARS_TOLD}] }}}}")
}

fn list(prompt: &mut String, heading: &str, items: impl Iterator<Item = String>) {
    for (at, item) in items.enumerate() {
        if at == 0 {
            prompt.push_str(&format!("\n## {heading}\n\n"));
        }
        // An item is one of a list, however many lines it has.
        prompt.push_str(&format!("- {}\n", item.replace('\n', "\n  ")));
    }
}

/// A text in which nothing is an expression.
fn escaped(text: &str) -> String {
    text.replace("{{", "{{ '{{' }}")
}

/// The source of a template.
fn source(template: &Template) -> Value {
    serde_json::to_value(template).unwrap_or_default()
}
