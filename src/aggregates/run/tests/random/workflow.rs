//! The files of random workflows.

use super::{conversations, pick, shared, spend};
use crate::testing::Dice;

/// The approvals that the steps of a random workflow may ask for.
const GATES: &[&str] = &[
    "    approve: before\n",
    "    approve: before\n    approvals: 2\n    expires: 3s\n    checklist: [one]\n",
    "    approve: after\n",
    "    approve: after\n    approvers: [ada, bob]\n    expires: 1s\n",
    "    approve: after\n    checklist: [one]\n    require_checklist: true\n",
];

/// What answers a plan of tasks.
const PLANS: &str = "    agent: ada\n    plan: {repairs: 1, max: 6, test: 'true'}\n";

/// Of a run that a step starts that is refused.
const NOTHING_TO_UNDO: &str = "    compensate: none\n";

/// Whether a step may take an earlier answer.
const CACHES: &[&str] =
    &["", "", "    cache: {}\n", "    cache: {ttl: 1m, files: ['*.md', 'src/{{ run.id }}']}\n"];

/// A workflow file of up to seven steps, each of which may need any of those before it.
pub(in crate::aggregates::run::tests) fn workflow(dice: &mut Dice) -> String {
    let mut file = String::from("name: random\n");
    file.push_str(pick::<&str>(dice, &["", "", "on_failure: stop\n"]));
    file.push_str(pick::<&str>(dice, spend::LIMITS));
    let shares = dice.one_in(3);
    file.push_str(if shares { shared::CONTEXTS } else { "" });
    file.push_str("steps:\n");
    for step in 0..=dice.below(7) {
        let needs: Vec<_> = (0..step).filter(|_| dice.one_in(2)).map(|need| format!("s{need}")).collect();
        file.push_str(&format!("  - id: s{step}\n    needs: [{}]\n", needs.join(", ")));
        if dice.one_in(5) {
            file.push_str(pick::<&str>(dice, GATES));
        }
        if dice.one_in(4) {
            file.push_str(pick::<&str>(
                dice,
                &["    sleep: 3s\n", "    wait_for: go\n", "    wait_for: go\n    timeout: 2s\n"],
            ));
            continue;
        }
        work(dice, &mut file, &needs);
        match needs.last() {
            Some(need) if dice.one_in(4) => {
                file.push_str(&format!("    if: steps.{need}.status == 'completed'\n"));
            }
            _ if shares => file.push_str(pick::<&str>(dice, shared::IFS)),
            _ => {}
        }
        failing(dice, &mut file);
        let starts_a_run = file.rsplit("- id").next().is_some_and(|step| step.contains("workflow:"));
        if shares && !starts_a_run {
            file.push_str(pick::<&str>(dice, shared::LOCKS));
        }
        let undoing = *pick::<&str>(
            dice,
            &[
                "",
                "    irreversible: true\n",
                NOTHING_TO_UNDO,
                "    compensate: {run: undo}\n",
                "    compensate: {run: undo}\n",
                "    compensate: {agent: eve, prompt: undo}\n",
                "    compensate: {run: undo, when: attempted, retry: {attempts: 2, initial: 1s}}\n",
                "    compensate: {run: 'undo {{ output }}'}\n",
            ],
        );
        if undoing != NOTHING_TO_UNDO || !starts_a_run {
            file.push_str(undoing);
        }
        let step = file.rsplit("- id").next().unwrap_or_default();
        let never = [
            "workflow:",
            "repeat:",
            "plan:",
            "approve: after",
            "irreversible:",
            "{run: undo",
            "{agent: eve, prompt: undo",
            "{run: 'undo",
        ];
        if !never.iter().any(|key| step.contains(key)) {
            file.push_str(pick::<&str>(dice, CACHES));
        }
        let step = file.rsplit("- id").next().unwrap_or_default();
        if !["workflow:", "cache:"].iter().any(|key| step.contains(key)) {
            file.push_str(pick::<&str>(dice, conversations::CONVERSATIONS));
        }
    }
    file
}

/// What a step does, and how often.
fn work(dice: &mut Dice, file: &mut String, needs: &[String]) {
    let uses = needs.first().filter(|_| dice.one_in(4));
    file.push_str(&match (uses, dice.below(11)) {
        (Some(need), _) => format!("    run: echo {{{{ steps.{need}.output }}}}\n"),
        (None, 0 | 8) => "    workflow: child.yaml\n".to_owned(),
        (None, 1) => "    agent: ada\n    prompt: go\n    fallback: {agent: bob}\n".to_owned(),
        (None, 2) => "    agent: ada\n".to_owned(),
        (None, 3) => "    agent: eve\n    prompt: look\n".to_owned(),
        (None, 4) => "    agent: eve\n    timeout: 20s\n    fallback: {agent: bob}\n".to_owned(),
        (None, 5) => PLANS.to_owned(),
        (None, 6) => "    agent: fay\n    prompt: go\n".to_owned(),
        (None, 7) => "    agent: fay\n    fallback: {agent: ada}\n".to_owned(),
        (None, _) => "    run: 'true'\n".to_owned(),
    });
    file.push_str(pick::<&str>(dice, &["", "    phase: build\n"]));
    // There is one plan, and not one for each item.
    let plans = file.rsplit("- id").next().is_some_and(|step| step.contains("plan:"));
    if dice.one_in(4) && !plans {
        file.push_str(&format!("    for_each: {}\n", pick(dice, &["[]", "[1]", "[1, 2, 3]", "run.id"])));
        if dice.one_in(2) {
            file.push_str("    max_parallel: 2\n");
        }
    } else if dice.one_in(6) && !plans {
        file.push_str("    repeat: {until: round > 2, max: 3}\n");
    }
}

/// What a step does when it fails.
fn failing(dice: &mut Dice, file: &mut String) {
    if dice.one_in(2) {
        file.push_str("    retry: {attempts: 3, initial: 1s}\n");
    } else if dice.one_in(2) {
        let on_error = pick(dice, &["fail_fast", "continue", "retry_then_fail", "retry_then_skip"]);
        file.push_str(&format!("    on_error: {on_error}\n"));
        if !file.rsplit("- id").next().is_some_and(|step| step.contains("fallback")) {
            file.push_str(pick::<&str>(dice, &["", "", "    at_most_once: true\n"]));
        }
    }
}

#[test]
fn every_random_workflow_fits_the_schema_for_editors() {
    use crate::workflow::parse::{data, json_schema};
    let schema = jsonschema::validator_for(&json_schema()).unwrap();
    for seed in 0..300 {
        let file = workflow(&mut Dice::of(seed));
        let value = data(&file, "w.yaml").unwrap().value();
        let wrong: Vec<_> = schema.iter_errors(&value).map(|error| error.to_string()).collect();
        assert_eq!(wrong, [""; 0], "{file}");
    }
}
