//! `init`: every template is what lies in the sources, runs with no more than a shell, and can be tried as it says.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::script;
use crate::support::Sandbox;

/// Each template, with the exit code of its first run.
const TEMPLATES: [(&str, i32); 18] = [
    ("empty", 0),
    ("release", 0),
    ("approval", 4),
    ("fan-out", 0),
    ("agents", 0),
    ("team", 0),
    ("pipeline", 0),
    ("saga", 0),
    ("audit", 0),
    ("incident", 0),
    ("cost-review", 0),
    ("security-review", 0),
    ("onboarding", 0),
    ("data-quality", 0),
    ("release-notes", 0),
    ("goal", 4),
    ("goal-cli", 4),
    ("goal-library", 4),
];

/// Those that are Markdown chains: each with what the first of its agents' answers says at some place of the output.
const CHAINS: [(&str, &str, &str); 7] = [
    ("audit", "/stop_if/1", "an order is lost"),
    ("incident", "/repair/0/step", "call the provider before the row is locked"),
    ("cost-review", "/decisions/1/question", "The archive on slower disks?"),
    ("security-review", "/verdict", "not yet"),
    ("onboarding", "/asks/0", "In which format are your recipes?"),
    ("data-quality", "/watch/0", "rows without a zip, each day"),
    ("release-notes", "/remarks/0", "said what printing means"),
];

/// What the templates may need: a shell, and programs of the coreutils.
const PROGRAMS: [&str; 17] = [
    "cat",
    "cp",
    "cut",
    "echo",
    "head",
    "ls",
    "mkdir",
    "mv",
    "printf",
    "sh",
    "rm",
    "sha256sum",
    "sleep",
    "sort",
    "tee",
    "touch",
    "wc",
];

/// The files below a folder, with what they hold.
fn files(folder: &Path) -> BTreeMap<PathBuf, String> {
    let (mut found, mut folders) = (BTreeMap::new(), vec![folder.to_path_buf()]);
    while let Some(next) = folders.pop() {
        for path in fs::read_dir(next).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(
                    path.strip_prefix(folder).unwrap().to_path_buf(),
                    fs::read_to_string(&path).unwrap(),
                );
            }
        }
    }
    found
}

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("templates")
}

/// The files of a template; those of the team have the agents beside them that come with the program.
fn files_of(template: &str) -> BTreeMap<PathBuf, String> {
    let mut all = files(&sources().join(template));
    if template == "team" {
        let agents = files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("config/agents"));
        all.extend(agents.into_iter().map(|(file, text)| (Path::new("agents").join(file), text)));
    }
    all
}

/// The one workflow file at the top of a project.
fn workflow(project: &Path) -> PathBuf {
    let top = fs::read_dir(project).unwrap().map(|entry| entry.unwrap().path());
    let is_workflow = |path: &PathBuf| {
        path.extension().is_some_and(|kind| kind == "yaml" || kind == "md") && !path.ends_with("answers.yaml")
    };
    let workflows: Vec<_> = top.filter(is_workflow).collect();
    let [workflow] = workflows.as_slice() else { panic!("{workflows:?}") };
    workflow.clone()
}

#[test]
fn every_template_is_made_as_it_lies_in_the_sources_and_none_is_forgotten() {
    let mut named: Vec<_> = TEMPLATES.iter().map(|(name, _)| (*name).to_owned()).collect();
    let there =
        fs::read_dir(sources()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut there: Vec<_> = there.collect();
    named.sort_unstable();
    there.sort_unstable();
    assert_eq!(named, there);
    let sandbox = Sandbox::new();
    for (name, _) in TEMPLATES {
        let made = sandbox.json(0, &["init", name, "--template", name]);
        assert_eq!((&made["folder"], &made["template"]), (&name.into(), &name.into()));
        let found = files(&sandbox.work(name));
        assert_eq!(found, files_of(name), "{name}");
        let told: Vec<_> =
            made["files"].as_array().unwrap().iter().map(|file| file.as_str().unwrap()).collect();
        assert!(told.len() == found.len() && told.iter().all(|file| sandbox.work(file).is_file()), "{made}");
        // In its folder, where its configuration holds.
        let mut validate =
            sandbox.command(&["--json", "validate", workflow(&sandbox.work(name)).to_str().unwrap()]);
        validate.current_dir(sandbox.work(name));
        let checked = sandbox.start(validate).wait();
        assert_eq!(checked.code(), Some(0), "{checked}");
        assert_eq!(checked.json()["files"][0]["warnings"], serde_json::json!([]), "{name}");
    }
    assert!(!sandbox.data().exists());
}

#[test]
fn the_first_run_of_every_template_needs_a_shell_and_coreutils_only() {
    for (name, code) in TEMPLATES {
        let sandbox = Sandbox::new();
        let made =
            script(&sandbox, &sandbox.work(""), &PROGRAMS, &format!("reenact init new --template {name}"));
        assert_eq!(made.code(), Some(0), "{made}");
        // The command that it names is complete: it is typed as it stands there.
        let next = made.stdout.lines().find_map(|line| line.strip_prefix("now: ")).unwrap();
        let ran = script(&sandbox, &sandbox.work(""), &PROGRAMS, next);
        assert_eq!(ran.code(), Some(code), "{name}: {ran}");
        assert!(sandbox.work("new/.reenact").is_dir(), "its runs are kept beside it");
    }
}

#[test]
fn the_agents_of_the_team_are_good_and_hand_over_to_nobody_who_is_not_there() {
    let sandbox = Sandbox::new();
    sandbox.json(0, &["init", "--template", "team"]);
    let checked = sandbox.json(0, &["agents", "validate", "agents"]);
    let files = checked["files"].as_array().unwrap();
    assert_eq!(files.len(), 9);
    for file in files {
        let warnings: Vec<_> = file["warnings"].as_array().unwrap().iter().map(|one| &one["code"]).collect();
        assert!(warnings.is_empty(), "{file}");
    }
    let listed = sandbox.json(0, &["agents", "list", "--handoffs"]);
    let handoffs = listed["handoffs"].as_array().unwrap();
    assert!(
        handoffs.iter().all(|handoff| handoff["known"] == true && handoff["from"] != handoff["to"]),
        "{listed}"
    );
    let from = |name: &str| handoffs.iter().filter(|handoff| handoff["from"] == name).count();
    assert_eq!(from("manager"), 8, "{listed}");
    for agent in listed["agents"].as_array().unwrap().iter().filter(|agent| agent["name"] != "shell") {
        let (name, file) = (agent["name"].as_str().unwrap(), agent["file"].as_str().unwrap());
        assert!(agent["error"].is_null() && (1..=8).contains(&from(name)), "{agent}");
        // What a body says of handing over is what its front matter allows.
        let text = fs::read_to_string(file).unwrap();
        let to = agent["handoffs"].as_array().unwrap().iter().map(|to| to.as_str().unwrap());
        let listed: Vec<_> = text
            .lines()
            .filter_map(|line| line.strip_prefix("- `")?.split_once('`'))
            .map(|(to, _)| to)
            .collect();
        assert_eq!(to.collect::<Vec<_>>(), listed, "{name}");
        let sample = text.lines().find_map(|line| line.strip_prefix("To: ")).unwrap();
        assert!(listed.contains(&sample), "{name} shows a handoff to {sample}");
    }
    // Who is asked hands over to who can do it.
    assert_eq!(sandbox.reenact(&["trust"]).code(), Some(0));
    for (query, takes) in
        [("Why is the login slow?", "backend_engineer"), ("Move the button", "frontend_engineer")]
    {
        let report = sandbox.json(0, &["ask", query]);
        assert_eq!(report["handoffs"]["chain"], serde_json::json!(["manager", takes]), "{report}");
        assert_eq!(report["output"]["by"], takes);
    }
}

#[test]
fn an_approval_goes_through_a_checklist_of_eight_points() {
    let sandbox = Sandbox::new();
    sandbox.json(0, &["init", "--template", "approval"]);
    sandbox.json(4, &["run", "approval.yaml", "--id", "r"]);
    let history = sandbox.history("r");
    let asked = history.iter().find(|event| event["type"] == "approval_requested").unwrap();
    let points: Vec<_> = asked["data"]["checklist"]
        .as_array()
        .unwrap_or_else(|| panic!("{asked}"))
        .iter()
        .map(|point| point.to_string().to_lowercase())
        .collect();
    let about = [
        "agents",
        "artifacts",
        "vulnerability",
        "performance",
        "documentation",
        "standards",
        "tests",
        "sensitive data",
    ];
    assert_eq!(points.len(), about.len(), "{points:?}");
    for (point, about) in points.iter().zip(about) {
        assert!(point.contains(about), "`{point}` is not about {about}");
    }
}

/// What a workflow file says at its top that can be tried: its lines of commands.
fn story(workflow: &Path) -> String {
    let text = fs::read_to_string(workflow).unwrap();
    let is_chain = workflow.extension().is_some_and(|kind| kind == "md");
    let said = text.lines().take_while(|line| if is_chain { *line != "-->" } else { line.starts_with('#') });
    let begins = if is_chain { "    " } else { "#   " };
    let story: Vec<_> = said.filter_map(|line| line.strip_prefix(begins)).collect();
    assert!(story.len() > 2, "{} says too little: {story:?}", workflow.display());
    // Whoever types waits until something is at work; a test looks.
    story.join("\n").lines().map(awaited).collect::<Vec<_>>().join("\n")
}

fn awaited(line: &str) -> String {
    let Some((before, after)) = line.split_once("& sleep ") else { return line.to_owned() };
    let run = before.split(' ').skip_while(|word| *word != "--id").nth(1).unwrap();
    let kill = after.split_once("; ").unwrap().1;
    let at_work = format!(
        "until reenact history {run} 2>&1 | grep -Eq 'attempt_started .*(total|count.1)'; do sleep 0.1; done"
    );
    format!("{before} & {at_work}; {kill}; wait")
        .replace("seconds=10", "seconds=3")
        .replace("seconds=5", "seconds=1")
}

#[test]
fn what_a_template_says_to_try_can_be_tried() {
    let ends: [(&str, &[(&str, &str)]); 18] = [
        ("empty", &[]),
        ("release", &[]),
        ("approval", &[]),
        ("fan-out", &[("slow", "completed"), ("broken", "completed")]),
        ("agents", &[("later", "completed")]),
        ("team", &[("review", "completed")]),
        ("pipeline", &[("slow", "completed"), ("broken", "completed")]),
        ("saga", &[("first", "compensated"), ("poor", "compensated"), ("stuck", "compensated")]),
        ("audit", &[("converted", "completed")]),
        ("incident", &[("converted", "completed")]),
        ("cost-review", &[("converted", "completed")]),
        ("security-review", &[("converted", "completed")]),
        ("onboarding", &[("converted", "completed")]),
        ("data-quality", &[("converted", "completed")]),
        ("release-notes", &[("converted", "completed")]),
        ("goal", &[("first", "completed"), ("second", "completed")]),
        ("goal-cli", &[("first", "completed"), ("second", "completed")]),
        ("goal-library", &[("first", "completed"), ("second", "completed")]),
    ];
    for (name, runs) in ends {
        let sandbox = Sandbox::new();
        let project = sandbox.work("p");
        assert_eq!(sandbox.reenact(&["init", "p", "--template", name]).code(), Some(0));
        let told = script(&sandbox, &project, &[], &story(&workflow(&project)));
        for wrong in ["RE-1001", "RE-1003", "RE-1101", "RE-1203", "not found"] {
            assert!(!told.stderr.contains(wrong), "{name}: {told}");
        }
        let data = project.join(".reenact");
        let data = data.to_str().unwrap();
        for (run, status) in runs {
            assert_eq!(
                sandbox.json(0, &["--data", data, "status", run])["status"],
                *status,
                "{name} {run}: {told}"
            );
        }
        if runs.iter().any(|(run, _)| *run == "slow") {
            let history = sandbox.reenact(&["--data", data, "history", "slow"]).stdout;
            assert!(history.contains("attempt_lost"), "{name} was not killed: {history}");
        }
    }
}

#[test]
fn every_chain_of_the_templates_answers_without_a_model_and_its_yaml_does_the_same() {
    for (name, place, says) in CHAINS {
        let sandbox = Sandbox::new();
        let project = sandbox.work("p");
        assert_eq!(sandbox.reenact(&["init", "p", "--template", name]).code(), Some(0));
        let chain = workflow(&project);
        let told = script(&sandbox, &project, &[], &story(&chain));
        let data = project.join(".reenact");
        let data = data.to_str().unwrap();
        let converted = sandbox.json(0, &["--data", data, "status", "converted"]);
        let runs = sandbox.json(0, &["--data", data, "list"])["runs"].as_array().unwrap().clone();
        let first = runs.iter().find(|run| run["run"] != "converted").unwrap_or_else(|| panic!("{told}"));
        let first = sandbox.json(0, &["--data", data, "status", first["run"].as_str().unwrap()]);
        assert_eq!(first["output"].pointer(place), Some(&says.into()), "{name}: {first}");
        assert_eq!((&first["status"], &first["degraded"]), (&"completed".into(), &false.into()));
        assert_eq!(first["output"], converted["output"]);
        assert_eq!(first["workflow"], converted["workflow"]);
        let checked = sandbox.json(0, &["validate", chain.to_str().unwrap()]);
        assert_eq!(checked["files"][0]["subtasks"].as_array().map(Vec::len), Some(3), "{checked}");
        let hops = if name == "incident" { 1 } else { 0 };
        assert_eq!(first["handoffs"]["total"].as_i64().unwrap_or_default(), hops, "{first}");
    }
}

#[test]
fn nothing_is_overwritten_and_nothing_is_written_beside_what_is_there() {
    let sandbox = Sandbox::new();
    sandbox.write("pipeline.yaml", "mine");
    sandbox.write("data", "a file");
    let refused = sandbox.json(2, &["init"]);
    assert_eq!(refused["error"]["code"], "RE-1120");
    let message = refused["error"]["message"].as_str().unwrap();
    assert!(message.contains("`pipeline.yaml`") && message.contains("`data`"), "{message}");
    assert_eq!(fs::read_to_string(sandbox.work("pipeline.yaml")).unwrap(), "mine");
    // What would be new is not made either, nor what a link leads to.
    fs::remove_file(sandbox.work("pipeline.yaml")).unwrap();
    std::os::unix::fs::symlink("elsewhere", sandbox.work("hello.yaml")).unwrap();
    assert_eq!(sandbox.json(2, &["init"])["error"]["code"], "RE-1120");
    assert_eq!(sandbox.json(2, &["init", "--template", "empty"])["error"]["code"], "RE-1120");
    assert!(!sandbox.work("pipeline.yaml").exists() && !sandbox.work("elsewhere").exists());
    // Other files are none of its business.
    assert_eq!(sandbox.json(0, &["init", "--template", "saga"])["next"], "reenact run trip.yaml");
}

#[test]
fn what_cannot_be_made_whole_is_not_made() {
    let sandbox = Sandbox::new();
    // A name that is too long for the file system is met after the folder was made.
    let dir = format!("{}/{}", "d".repeat(200), "e".repeat(300));
    let refused = sandbox.json(2, &["init", &dir]);
    assert_eq!(refused["error"]["code"], "RE-1121", "{refused}");
    assert!(fs::read_dir(sandbox.work("")).unwrap().next().is_none(), "something is left");
}

#[test]
fn without_a_template_it_is_the_pipeline_and_the_next_command_is_complete_wherever_it_is_typed() {
    let sandbox = Sandbox::new();
    let made = sandbox.json(0, &["init"]);
    assert_eq!((&made["template"], &made["folder"]), (&"pipeline".into(), &".".into()));
    assert_eq!(made["next"], "reenact run pipeline.yaml");
    let made = sandbox.json(0, &["--data", "my data", "init", "a/b c", "--template", "empty"]);
    let data = sandbox.work("my data");
    let next = format!("cd 'a/b c' && reenact --data '{}' run hello.yaml", data.display());
    assert_eq!(made["next"], next.as_str());
    assert_eq!(script(&sandbox, &sandbox.work(""), &[], &next).code(), Some(0));
    assert!(data.is_dir());
    let help = sandbox.reenact(&["init", "--help"]).stdout;
    assert!(TEMPLATES.iter().all(|(name, _)| help.contains(&format!("- {name}:"))), "{help}");
    assert!(help.contains("[default: pipeline]"), "{help}");
    assert_eq!(sandbox.json(2, &["init", "--template", "nothing"])["error"]["code"], "RE-1001");
}

#[test]
fn a_goal_begins_for_what_it_is_for() {
    for (kind, developer) in
        [("web", "web_developer"), ("cli", "cli_developer"), ("library", "library_developer")]
    {
        let sandbox = Sandbox::new();
        let made = sandbox.json(0, &["init", "new", "--template", "goal", "--type", kind]);
        assert_eq!(made["next"], "cd new && reenact run goal.yaml");
        let agent = sandbox.work(&format!("new/agents/{developer}.md"));
        assert!(agent.is_file(), "{kind}: {made}");
    }
    let sandbox = Sandbox::new();
    for wrong in [["--template", "goal", "--type", "game"], ["--template", "saga", "--type", "web"]] {
        let refused = sandbox.json(2, &[&["init"][..], &wrong].concat());
        assert_eq!(refused["error"]["code"], "RE-1001", "{refused}");
    }
    assert!(fs::read_dir(sandbox.work("")).unwrap().next().is_none(), "nothing was made");
}
