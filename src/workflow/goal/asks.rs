//! What the agent that plans is told: whom there is, how a plan is answered, and what is wrong with the one before.

use serde_json::{Value, json};

use super::{Candidate, Goal};
use crate::events::text::{shortened, shortened_lines};
use crate::workflow::handoff::said;
use crate::workflow::work::{Repair, Work};

/// How much of an agent's description is told, in characters.
const DESCRIPTION_CHARS_TOLD: usize = 200;

/// How many agents are told.
const AGENTS_TOLD: usize = 200;

/// How much of a refused plan is told, in characters.
const ANSWER_CHARS_TOLD: usize = 50_000;

const FORM: &str = r#"## How to answer

Answer the plan as one object of JSON:

```json
{"tasks": [{"task_id": "TASK-001", "description": "", "assigned_to": "", "dependencies": [], "deliverables": []}], "decisions": [{"decision": "", "rationale": "", "affected_agents": []}]}
```

A task starts when all are done that it names in `dependencies`; those that depend on nothing run side by side. Its agent sees the description, the deliverables, the decisions that affect it, and what the tasks came to on which it depends: nothing else. Leave `assigned_to` empty where whoever fits best may do it.
"#;

/// Adds to a prompt whom there is, and how a plan is answered.
pub fn ask_for_plan(work: &mut Work, goal: &Goal<'_>) {
    let prompt = work.prompt.get_or_insert_default();
    prompt.push_str("\n\n## Whom you may assign tasks to\n\n");
    for candidate in goal.candidates.iter().take(AGENTS_TOLD) {
        prompt.push_str(&line(candidate));
    }
    match goal.candidates.len() {
        0 => prompt.push_str("Nobody.\n"),
        count if count > AGENTS_TOLD => prompt.push_str(&format!("- and {} more\n", count - AGENTS_TOLD)),
        _ => {}
    }
    prompt.push_str(&format!("\nNo more than {} tasks may be.\n\n{FORM}", goal.tasks_max));
}

fn line(candidate: &Candidate) -> String {
    let description = shortened(&candidate.skills.description, DESCRIPTION_CHARS_TOLD);
    let expertise = candidate.skills.expertise().join(", ");
    let expertise = shortened(&expertise, DESCRIPTION_CHARS_TOLD);
    let expertise = if expertise.is_empty() { String::new() } else { format!(" ({expertise})") };
    format!("- `{}`: {description}{expertise}\n", candidate.name)
}

/// Adds to a work what is wrong with the plan before, in the prompt too.
pub fn mend(work: &mut Work, repair: Repair) {
    let answered = said(&repair.answered);
    let answered = shortened_lines(&answered, ANSWER_CHARS_TOLD);
    let section = format!(
        "\n\n## Your last answer was refused\n\n{}\n\nYou answered:\n\n{answered}\n\nAnswer the whole plan again, mended.\n",
        repair.refused
    );
    work.prompt.get_or_insert_default().push_str(&section);
    work.repair = Some(repair);
}

/// The shape of a plan, as a JSON Schema: what a model is held to. What else is wrong with a plan is said when it is read.
pub fn shape() -> Value {
    let text = || json!({ "type": "string" });
    let texts = || json!({ "type": "array", "items": { "type": "string" } });
    json!({
        "type": "object",
        "required": ["tasks"],
        "properties": {
            "tasks": {
                "type": "array",
                "minItems": 1,
                "items": {
                    "type": "object",
                    "required": ["task_id", "description"],
                    "properties": {
                        "task_id": text(),
                        "description": text(),
                        "assigned_to": { "type": ["string", "null"] },
                        "dependencies": texts(),
                        "deliverables": texts(),
                    },
                },
            },
            "decisions": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["decision"],
                    "properties": { "decision": text(), "rationale": text(), "affected_agents": texts() },
                },
            },
        },
    })
}
