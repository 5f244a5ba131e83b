//! A model that plans how a goal is reached, and models that do it.

use serde_json::json;

use super::{KINDS, Machine};
use crate::support::provider::Does;

const BOSS: &str = "---\nname: boss\ndescription: Plans\n---\nYou plan.\n";

#[test]
fn a_model_plans_by_a_schema_and_models_do_its_tasks() {
    for kind in KINDS {
        let machine = Machine::with(kind, "[goal]\nmanager = 'boss'\n");
        machine.sandbox.write("agents/boss.md", BOSS);
        let plan = json!({ "tasks": [
            { "task_id": "T-1", "description": "Write it", "assigned_to": "writer" },
            { "task_id": "T-2", "description": "Write more", "dependencies": ["T-1"] },
        ] });
        let prose = format!("Here it is.\n```json\n{plan}\n```\n");
        machine.provider.then([
            // It has no tasks: the model is told so, and mends it in the same attempt.
            Does::says("{\"decisions\": []}"),
            Does::says(&prose),
            Does::says("First part."),
            Does::says("## Summary\nSecond part.\n"),
            Does::says("All of it stands."),
        ]);
        let report = machine.run(0, &["--goal", "A text", "--id", "r"]);
        let steps: Vec<_> = report["steps"]
            .as_array()
            .unwrap()
            .iter()
            .map(|step| (step["id"].as_str().unwrap(), step["status"].as_str().unwrap()))
            .collect();
        let done = ["plan", "plan/T-1", "plan/T-2", "plan/integration"].map(|id| (id, "completed"));
        assert_eq!(steps, done, "{kind}: {report}");
        assert_eq!(report["steps"][2]["summary"], "Second part.");
        let bodies = machine.provider.bodies();
        assert_eq!(bodies.len(), 5, "{kind}");
        let schema = |at: usize| {
            bodies[at].to_string().contains("task_id\\\":{\\\"type")
                || bodies[at]["response_format"]["json_schema"]["schema"]["properties"]["tasks"].is_object()
        };
        assert_eq!((0..5).map(schema).collect::<Vec<_>>(), [true, true, false, false, false], "{kind}");
        assert!(bodies[1].to_string().contains("That cannot be taken"), "{}", bodies[1]);
    }
}
