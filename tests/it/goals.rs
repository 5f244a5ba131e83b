//! Goals: an agent plans tasks, others do them; killed anywhere, refused, mended, blocked, and shown.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Sandbox, wait_until};

const PLAN: &str = r#"
  tasks:
    - {task_id: TASK-001, description: "Build the {{ service }}", assigned_to: backend_dev, deliverables: [service.txt]}
    - {task_id: TASK-002, description: Build the forms that people see, dependencies: [TASK-001]}
    - {task_id: TASK-003, description: Find out how it fails, assigned_to: QA, dependencies: [TASK-001, TASK-002]}
  decisions:
    - {decision: Tokens live an hour, rationale: they leak, affected_agents: [backend_dev]}
"#;

/// Agents that are programs: each keeps the document that it gets.
const AGENTS: [(&str, &str, &str); 3] = [
    (
        "backend_dev",
        "Builds services",
        r#"echo made >service.txt; echo '{"status": "completed", "files_modified": ["service.txt"], "notes": "port 8080"}'"#,
    ),
    (
        "frontend_dev",
        "Builds forms",
        r#"echo '{"status": "completed", "files_modified": ["form.html"], "test_results": "18 passed, 1 failed"}'"#,
    ),
    (
        "qa",
        "Finds faults",
        r#"echo '{"status": "completed", "test_suites": [{"name": "service", "tests_run": 24, "passed": 24, "failed": 0}]}'"#,
    ),
];

/// A team with a manager who answers that.
fn team(answers: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    for (name, description, script) in AGENTS {
        agent(&sandbox, name, description, script);
    }
    sandbox.write(
        "agents/boss.md",
        "---\nname: boss\ndescription: Plans\nexecutor: scripted\nscript: boss.answers.yaml\n---\n",
    );
    sandbox.write("agents/boss.answers.yaml", answers);
    sandbox.write("reenact.toml", "[goal]\nmanager = \"Boss\"\n");
    sandbox
}

/// An agent that hangs in its first attempt where there is a file `hang.NAME`.
fn agent(sandbox: &Sandbox, name: &str, description: &str, script: &str) {
    let script = format!(
        "cat >{name}.json; [ ! -e hang.{name} ] || [ $REENACT_ATTEMPT != 1 ] || {{ echo >hangs; sleep 600; }}; {script}"
    );
    let command = serde_json::to_string(&["sh", "-c", &script]).unwrap();
    let text = format!(
        "---\nname: {name}\ndescription: {description}\nexecutor: subprocess\ncommand: {command}\n---\n"
    );
    sandbox.write(&format!("agents/{name}.md"), text);
}

fn answers() -> String {
    let plan = PLAN.replace('\n', "\n    ");
    format!(
        "- step: plan\n  output:{plan}\n- step: plan/integration\n  output: {{status: completed, notes: all of it works}}\n"
    )
}

fn steps(report: &Value) -> Vec<(&str, &str, &str)> {
    let all = report["steps"].as_array().unwrap().iter();
    all.map(|step| {
        let of = |key: &str| step[key].as_str().unwrap_or_default();
        (of("id"), of("status"), of("agent"))
    })
    .collect()
}

const DONE: [(&str, &str, &str); 5] = [
    ("plan", "completed", "boss"),
    ("plan/TASK-001", "completed", "backend_dev"),
    ("plan/TASK-002", "completed", "frontend_dev"),
    ("plan/TASK-003", "completed", "qa"),
    ("plan/integration", "completed", "boss"),
];

fn document(sandbox: &Sandbox, agent: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(sandbox.work(&format!("{agent}.json"))).unwrap()).unwrap()
}

#[test]
fn orch_002_a_goal_is_cut_into_tasks_that_are_done_in_their_order_and_everybody_is_told_what_they_need() {
    let sandbox = team(&answers());
    sandbox.write("needs.md", "It has to run on a {{ toaster }}.");
    sandbox.write(".ai-agents/context/style.md", "Short names.");
    std::os::unix::fs::symlink("/etc/passwd", sandbox.work(".ai-agents/context/users.md")).unwrap();
    let ran = sandbox.reenact(&["run", "--goal", "a {{ login }}", "--requirements", "needs.md", "--id", "r"]);
    assert_eq!(ran.code(), Some(0), "{ran}");
    let report = sandbox.status("r");
    assert_eq!(steps(&report), DONE);
    assert_eq!(report["output"]["notes"], "all of it works");
    assert_eq!(report["workflow"], "goal");
    let backend = document(&sandbox, "backend_dev");
    let prompt = backend["prompt"].as_str().unwrap();
    for part in [
        "Build the {{ service }}",
        "- service.txt",
        "Tokens live an hour (they leak)",
        "a {{ login }}",
        "It has to run on a {{ toaster }}.",
        "### .ai-agents/context/style.md\n\nShort names.",
        "`blockers`",
    ] {
        assert!(prompt.contains(part), "{part}: {prompt}");
    }
    assert!(!prompt.contains("root:") && !prompt.contains("users.md"), "a link was followed: {prompt}");
    let qa = document(&sandbox, "qa");
    let prompt = qa["prompt"].as_str().unwrap();
    assert!(
        prompt.contains("port 8080") && prompt.contains("18 passed") && !prompt.contains("Tokens live"),
        "{prompt}"
    );
    assert_eq!(qa["input"]["dependencies"]["TASK-001"]["output"]["notes"], "port 8080");
    // What is planned is told while it happens, and what came of it at the end.
    for line in [
        "plan/TASK-001: planned, for backend_dev",
        "plan/TASK-003: planned, for qa, after plan/TASK-001, plan/TASK-002",
    ] {
        assert!(ran.stderr.contains(line), "{line}: {ran}");
    }
    for line in [
        "plan of `plan`: 4 of 4 tasks done in ",
        "  TASK-002     completed, frontend_dev\n",
        "  calls: backend_dev 1, boss 2, frontend_dev 1, qa 1\n",
        "  files: service.txt, form.html\n",
        "  tests, as reported: 42 passed, 1 failed\n",
    ] {
        assert!(ran.stdout.contains(line), "{line}: {ran}");
    }
    assert_eq!(report["goals"][0]["tests"], json!({"passed": 42, "failed": 1}), "{report}");
    let planned = sandbox.reenact(&["transcript", "r", "plan"]).stdout;
    assert!(
        planned.contains("- `backend_dev`: Builds services") && !planned.contains("- `boss`"),
        "{planned}"
    );
}

/// Wherever its process is killed, a goal goes on there: what was planned and done is asked of nobody again.
#[test]
fn a_goal_that_is_killed_while_it_is_planned_done_or_brought_together_goes_on_there() {
    for killed in ["plan", "plan/TASK-001", "plan/TASK-002", "plan/TASK-003", "plan/integration"] {
        let hangs = format!("- {{step: {killed}, attempt: 1, delay: 1h, output: 1}}\n");
        let sandbox = team(&format!("{hangs}{}", answers()));
        for (task, agent) in [("001", "backend_dev"), ("002", "frontend_dev"), ("003", "qa")] {
            if killed.ends_with(task) {
                sandbox.write(&format!("hang.{agent}"), "");
            }
        }
        let process = sandbox.spawn(&["run", "--goal", "a login", "--id", "r"]);
        wait_until("it is at work", || {
            sandbox.reenact(&["history", "r", "--step", killed]).stdout.contains("attempt_started")
        });
        process.kill();
        assert_eq!(sandbox.status("r")["interrupted"], true);
        let report = sandbox.json(0, &["resume", "r"]);
        assert_eq!(steps(&report), DONE, "{killed}");
        for (step, ..) in DONE {
            let times = if step == killed { 2 } else { 1 };
            assert_eq!(sandbox.count("r", "attempt_started", Some(step)), times, "{killed}: {step}");
            assert_eq!(sandbox.count("r", "step_completed", Some(step)), 1, "{killed}: {step}");
        }
        assert_eq!(sandbox.count("r", "attempt_lost", Some(killed)), 1);
        assert_eq!(sandbox.json(0, &["verify"])["ok"], true);
    }
}

#[test]
fn orch_002_a_plan_that_cannot_be_done_is_mended_also_by_a_process_that_takes_over() {
    // It is long enough to be kept beside the event.
    let long = "x".repeat(600);
    let circle = format!(
        "{{tasks: [{{task_id: a, description: {long}, assigned_to: qa, dependencies: [b]}}, {{task_id: b, description: x, assigned_to: nobody, dependencies: [a]}}]}}"
    );
    let refused = format!(
        "- {{step: plan, attempt: 1, output: {circle}}}\n- {{step: plan, attempt: 2, prompt: 'circle: `a` → `b` → `a`', delay: 1h, output: 1}}\n"
    );
    let sandbox = team(&format!("{refused}{}", answers()));
    let process = sandbox.spawn(&["run", "--goal", "a login", "--id", "r"]);
    wait_until("it is mended", || {
        sandbox.reenact(&["history", "r", "--step", "plan"]).stdout.matches("attempt_started").count() == 2
    });
    process.kill();
    let report = sandbox.json(0, &["resume", "r"]);
    assert_eq!(steps(&report), DONE);
    assert_eq!(sandbox.count("r", "repair_asked", None), 1, "it is refused once, whoever drives it");
    let told = sandbox.reenact(&["transcript", "r", "plan"]).stdout;
    assert!(told.contains("## Your last answer was refused") && told.contains("`nobody`"), "{told}");
}

#[test]
fn a_plan_that_stays_bad_fails_with_all_that_is_wrong_and_nothing_is_started() {
    for (plan, part) in [
        (
            "{tasks: [{task_id: a, description: x, assigned_to: qa, dependencies: [a]}]}",
            "it depends on itself",
        ),
        ("{tasks: [{task_id: a, description: xyzzy}]}", "it is assigned to nobody"),
        ("{tasks: [{task_id: a, description: x, assigned_to: bakend_dev}]}", "did you mean `backend_dev`?"),
        ("no plan at all", "no object with a list `tasks`"),
    ] {
        let sandbox = team(&format!("- {{step: plan, output: {plan}}}\n"));
        let report = sandbox.json(1, &["run", "--goal", "a login", "--id", "r"]);
        let error = &report["error"];
        assert_eq!((&error["code"], &error["step"]), (&json!("RE-3050"), &json!("plan")), "{report}");
        assert!(error["message"].as_str().unwrap().contains(part), "{part}: {report}");
        assert_eq!(sandbox.count("r", "attempt_started", None), 4, "three repairs: {plan}");
        assert_eq!(sandbox.count("r", "step_added", None), 1);
    }
}

#[test]
fn blockers_go_to_the_manager_and_the_task_goes_on_with_what_it_says() {
    let guidance = "- {step: 'plan/TASK-001/guidance*', output: use the spare key}\n";
    let sandbox = team(&format!("{guidance}{}", answers()));
    agent(
        &sandbox,
        "backend_dev",
        "Builds services",
        r#"grep -q 'use the spare key' backend_dev.json && echo '{"status": "completed"}' || echo '{"blockers": ["no key"]}'"#,
    );
    let ran = sandbox.reenact(&["run", "--goal", "a login", "--id", "r"]);
    assert_eq!(ran.code(), Some(0), "{ran}");
    assert!(ran.stderr.contains("boss is asked: `backend_dev` cannot go on: no key"), "{ran}");
    assert_eq!(sandbox.count("r", "escalated", Some("plan/TASK-001")), 1);
    // Without an answer that helps it fails, with what keeps it.
    let sandbox = team(&format!("{guidance}{}", answers()));
    agent(&sandbox, "backend_dev", "Builds services", r#"echo '{"blockers": ["no key"]}'"#);
    let report = sandbox.json(1, &["run", "--goal", "a login", "--id", "r"]);
    assert_eq!(report["error"]["code"], "RE-3051", "{report}");
    assert!(report["error"]["message"].as_str().unwrap().contains("no key"), "{report}");
}

#[test]
fn a_plan_waits_for_a_person_and_goes_on_once_that_is_granted() {
    let sandbox = team(&answers());
    let report = sandbox.json(4, &["run", "--goal", "a login", "--id", "r", "--approve-plan"]);
    assert_eq!(report["status"], "waiting");
    assert_eq!(report["steps"].as_array().unwrap().len(), 1, "no task has joined it: {report}");
    let report = sandbox.json(0, &["approve", "r", "--resume"]);
    assert_eq!(steps(&report), DONE);
}

#[test]
fn what_is_wrong_with_a_goal_is_said_before_anything_starts() {
    let sandbox = team(&answers());
    let refused = |code: &str, arguments: &[&str]| {
        let refused = sandbox.json(2, &[&["run"], arguments].concat());
        assert_eq!(refused["error"]["code"], code, "{arguments:?}: {refused}");
    };
    sandbox.write("empty.md", " \n");
    sandbox.write("large.md", "x".repeat(300_000));
    refused("RE-1301", &["--goal", "x", "--agents", "qa,nobody_here"]);
    refused("RE-1101", &["--goal", "x", "--requirements", "absent.md"]);
    refused("RE-1101", &["--goal", "x", "--dir", "absent"]);
    for file in ["empty.md", "large.md"] {
        let refused = sandbox.json(2, &["run", "--goal", "x", "--requirements", file]);
        assert!(refused["error"]["message"].as_str().unwrap().contains(file), "{refused}");
    }
    for wrong in [
        &["--goal", ""][..],
        &["--goal", " \n"],
        &["--goal", "x", "file.yaml"],
        &["--agents", "qa", "file.yaml"],
        &["--goal", "x", "--max-iterations", "0"],
        &["--approve-plan", "file.yaml"],
        &[],
    ] {
        refused("RE-1001", wrong);
    }
    let refused = sandbox.json(2, &["run", "--goal", "x", "--input", "goal=y"]);
    assert!(refused["error"]["message"].as_str().unwrap().contains("given twice"), "{refused}");
    fs::remove_file(sandbox.work("reenact.toml")).unwrap();
    let refused = sandbox.json(2, &["run", "--goal", "x"]);
    assert_eq!(refused["error"]["code"], "RE-1330", "{refused}");
    assert!(!sandbox.data().exists(), "nothing was begun");
}

#[test]
fn bounds_and_agents_are_those_that_were_named_and_a_dry_run_starts_nothing() {
    let sandbox = team(&answers());
    let arguments = ["run", "--goal", "a login", "--agents", "QA,backend-dev", "--max-iterations", "2"];
    let shown = sandbox.reenact(&[&arguments[..], &["--dry-run"]].concat());
    assert_eq!(shown.code(), Some(0), "{shown}");
    assert!(shown.stdout.contains("plan, by boss") && shown.stdout.contains("a login"), "{shown}");
    for follows in [
        "its answer is a plan: a step follows for each task, at most 2, by qa, backend_dev",
        "then boss brings together what they came to",
    ] {
        assert!(shown.stdout.contains(follows), "{shown}");
    }
    let shown = sandbox.json(0, &[&arguments[..], &["--dry-run"]].concat());
    let plan = json!({"agents": ["qa", "backend_dev"], "max": 2, "integrate": "boss"});
    assert_eq!(shown["steps"][0]["plan"], plan, "{shown}");
    assert!(!sandbox.data().exists());
    let report = sandbox.json(1, &[&arguments[..], &["--id", "r"]].concat());
    assert_eq!(report["error"]["code"], "RE-3050", "{report}");
    let message = report["error"]["message"].as_str().unwrap();
    assert!(message.contains("there are 3, and no more than 1 may be"), "a repair counts as well: {message}");
    let told = sandbox.reenact(&["transcript", "r", "plan"]).stdout;
    assert!(!told.contains("- `frontend_dev`") && told.contains("- `qa`"), "{told}");
}

#[test]
fn a_goal_works_in_the_folder_that_is_named() {
    let sandbox = team(&answers());
    fs::create_dir(sandbox.work("project")).unwrap();
    let agents = sandbox.work("agents");
    fs::rename(agents, sandbox.work("project/agents")).unwrap();
    sandbox.json(0, &["run", "--goal", "a login", "--dir", "project", "--id", "r"]);
    assert!(sandbox.work("project/service.txt").is_file());
}

fn team_file(sandbox: &Sandbox) -> Value {
    let text = fs::read_to_string(sandbox.work(".ai-agents/state/team-communication.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn the_team_shares_a_file_that_says_how_far_it_is() {
    let guidance = "- {step: 'plan/TASK-001/guidance*', output: use the spare key}\n";
    let sandbox = team(&format!("{guidance}{}", answers()));
    agent(
        &sandbox,
        "backend_dev",
        "Builds services",
        r#"grep -q 'use the spare key' backend_dev.json && echo '{"status": "completed", "notes": "port 8080"}' || echo '{"blockers": ["no key"]}'"#,
    );
    // Who does a later task finds what those before it came to.
    agent(
        &sandbox,
        "qa",
        "Finds faults",
        r#"until grep -q 'port 8080' .ai-agents/state/team-communication.json; do sleep 0.05; done; echo '{"status": "completed"}'"#,
    );
    sandbox.json(0, &["run", "--goal", "a login", "--id", "r"]);
    let shared = team_file(&sandbox);
    assert_eq!((&shared["run"], &shared["status"]), (&json!("r"), &json!("completed")), "{shared:#}");
    let tasks = shared["tasks"].as_array().unwrap();
    let ids: Vec<_> = tasks.iter().map(|task| task["task_id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["TASK-001", "TASK-002", "TASK-003"]);
    assert_eq!((&tasks[0]["assigned_to"], &tasks[0]["notes"]), (&json!("backend_dev"), &json!("port 8080")));
    assert_eq!(
        (&tasks[1]["assigned_to"], &tasks[1]["step_status"]),
        (&json!("frontend_dev"), &json!("completed"))
    );
    assert_eq!(shared["decisions"][0]["decision"], "Tokens live an hour");
    let said = &shared["messages"][0];
    assert_eq!(
        (&said["from"], &said["to"], &said["answer"]),
        (&json!("backend_dev"), &json!("boss"), &json!("use the spare key"))
    );
    assert!(
        document(&sandbox, "backend_dev")["prompt"].as_str().unwrap().contains("team-communication.json")
    );
}

#[test]
fn two_goals_in_one_folder_each_tell_of_themselves_and_agents_are_told_where() {
    let sandbox = team(&answers());
    sandbox.json(4, &["run", "--goal", "a login", "--id", "first", "--approve-plan"]);
    let second = sandbox.reenact(&["run", "--goal", "a shop", "--id", "second"]);
    assert_eq!(second.code(), Some(0), "{second}");
    let beside = ".ai-agents/state/team-communication.second.json";
    assert!(second.stderr.contains("tells of run first, which has not ended"), "{second}");
    assert_eq!(second.stderr.matches(beside).count(), 1, "it is said once: {second}");
    assert_eq!(team_file(&sandbox)["run"], "first", "nobody wrote over it");
    let own: Value = serde_json::from_str(&fs::read_to_string(sandbox.work(beside)).unwrap()).unwrap();
    assert_eq!((&own["run"], &own["status"]), (&json!("second"), &json!("completed")));
    let told = document(&sandbox, "backend_dev");
    assert!(told["prompt"].as_str().unwrap().contains(beside), "{told}");
    // When the first has ended, the next has its place, also where nobody has written that down.
    sandbox.json(0, &["approve", "first", "--resume"]);
    assert_eq!(team_file(&sandbox)["status"], "completed");
    let file = sandbox.work(".ai-agents/state/team-communication.json");
    let stale = fs::read_to_string(&file).unwrap().replacen("\"completed\"", "\"running\"", 1);
    fs::write(&file, stale).unwrap();
    sandbox.json(0, &["run", "--goal", "a bank", "--id", "third"]);
    assert_eq!(team_file(&sandbox)["run"], "third");
    assert_eq!(fs::read_dir(sandbox.work(".ai-agents/state")).unwrap().count(), 2);
}

#[test]
fn the_file_of_a_team_follows_no_link_and_is_left_out_where_nobody_wants_it() {
    let sandbox = team(&answers());
    fs::create_dir(sandbox.root().join("elsewhere")).unwrap();
    std::os::unix::fs::symlink(sandbox.root().join("elsewhere"), sandbox.work(".ai-agents")).unwrap();
    sandbox.json(0, &["run", "--goal", "a login", "--id", "r"]);
    assert_eq!(fs::read_dir(sandbox.root().join("elsewhere")).unwrap().count(), 0, "a link was followed");
    let sandbox = team(&answers());
    sandbox.write("reenact.toml", "[goal]\nmanager = \"boss\"\n[team]\npath = \"\"\n");
    sandbox.json(0, &["run", "--goal", "a login", "--id", "r"]);
    assert!(!sandbox.work(".ai-agents").exists());
    sandbox.write("reenact.toml", "[team]\npath = \"../team.json\"\n");
    assert_eq!(sandbox.json(2, &["run", "--goal", "x"])["error"]["code"], "RE-5001");
}

/// A person, or an assistant that a person has open, plans: the plan is the answer to a task.
#[test]
fn who_plans_may_be_anybody_who_takes_tasks() {
    let sandbox = team(&answers());
    sandbox.write("agents/boss.md", "---\nname: boss\ndescription: Plans\nexecutor: external\n---\n");
    agent(&sandbox, "qa", "Finds faults", r#"echo '{"blockers": ["no browser"]}'"#);
    let answer = |what: &str, resumes: i32| {
        let task = sandbox.json(0, &["tasks", "next", "--agent", "boss"]);
        sandbox.write("answer", what);
        let id = task["id"].as_str().unwrap();
        let mut command = sandbox.command(&["--json", "tasks", "complete", id, "--resume"]);
        command.stdin(fs::File::open(sandbox.work("answer")).unwrap());
        let ended = sandbox.start(command).wait();
        assert_eq!(ended.code(), Some(resumes), "{ended}");
        task
    };
    sandbox.json(4, &["run", "--goal", "a login", "--id", "r"]);
    let plan = r#"{"tasks": [{"task_id": "a", "description": "Look at it", "assigned_to": "NOBODY"}]}"#;
    let first = answer(plan, 4);
    assert!(first["prompt"].as_str().unwrap().contains("Whom you may assign tasks to"), "{first}");
    let good = format!("Here it is.\n\n```json\n{}\n```\n", plan.replace("NOBODY", "qa"));
    let second = answer(&good, 4);
    let told = second["prompt"].as_str().unwrap();
    assert!(told.contains("## Your last answer was refused") && told.contains("`NOBODY`"), "{second}");
    // It is asked about the task that does not get on, and at the end for all of it.
    let asked = answer("Use another browser.", 1);
    assert_eq!(asked["step"], "plan/a/guidance[1]", "{asked}");
    assert_eq!(sandbox.status("r")["error"]["code"], "RE-3051", "it is blocked by the same");
    agent(&sandbox, "qa", "Finds faults", r#"echo '{"status": "completed"}'"#);
    sandbox.json(4, &["run", "--goal", "a login", "--id", "s"]);
    answer(&good, 4);
    let last = answer(r#"{"status": "completed", "notes": "it holds"}"#, 0);
    assert_eq!(last["step"], "plan/integration");
    assert_eq!(sandbox.status("s")["output"]["notes"], "it holds");
}

#[test]
fn only_a_plan_of_tasks_says_who_is_to_do_what() {
    let sandbox = Sandbox::new();
    let plan = r#"{"add_steps": [{"id": "x", "run": "true"}]}"#;
    sandbox.write("w.yaml", format!("steps: [{{id: p, run: [echo, '{plan}']}}]\n"));
    let ran = sandbox.reenact(&["run", "w.yaml"]);
    assert!(ran.stderr.contains("p/x: completed") && !ran.stderr.contains("planned"), "{ran}");
}
