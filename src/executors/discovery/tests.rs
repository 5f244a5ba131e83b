use super::*;
use crate::executors::ExecutorKind;

struct Project {
    folder: tempfile::TempDir,
}

impl Project {
    fn with(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (file, text) in files {
            let file = folder.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        Self { folder }
    }

    fn catalog(&self, agent_paths: &[&str], config: &str) -> Catalog {
        let paths: Vec<_> = agent_paths.iter().map(PathBuf::from).collect();
        Catalog::discover(self.folder.path(), &[], &paths, &toml::from_str(config).unwrap())
    }
}

fn agent(name: &str, description: &str) -> String {
    format!("---\nname: {name}\ndescription: {description}\n---\n")
}

fn find<'a>(catalog: &'a Catalog, name: &str) -> &'a DiscoveredAgent {
    catalog.find(&AgentName::new(name)).unwrap()
}

#[test]
fn the_nearer_file_wins_and_the_hidden_one_is_told_of() {
    let project = Project::with(&[
        ("agents/b.md", &agent("reviewer", "nearest")),
        (".reenact/agents/b.md", &agent("Reviewer Agent", "near")),
        (".claude/agents/c.md", &agent("writer", "of another tool")),
        ("far/r.md", &agent("reviewer", "far")),
        ("far/d.md", &agent("editor", "in the configuration's folder")),
        ("one.md", "# A file of its own\n"),
        ("agents/README.md", "# Agents\n"),
        ("agents/notes.txt", "no agent"),
    ]);
    let catalog = project.catalog(&["far", "one.md", "absent"], "");
    assert_eq!(find(&catalog, "reviewer_v2").definition.description, "nearest");
    assert_eq!(find(&catalog, "writer").definition.description, "of another tool");
    assert_eq!(find(&catalog, "one").definition.description, "A file of its own");
    assert_eq!(catalog.names().collect::<Vec<_>>(), ["editor", "one", "reviewer", "shell", "writer"]);
    assert_eq!(find(&catalog, "editor").file.as_deref(), Some(&*project.folder.path().join("far/d.md")));
    let hidden: Vec<_> = catalog.warnings().map(|warning| warning.code).collect();
    assert_eq!(hidden, [Code::AgentHidden, Code::AgentHidden]);
}

#[test]
fn a_broken_file_is_a_problem_for_who_uses_it_and_a_warning_for_all() {
    let project = Project::with(&[
        ("agents/broken.md", "---\nname: [\n---\n"),
        ("agents/fine.md", &agent("fine", "ok")),
    ]);
    let catalog = project.catalog(&[], "");
    assert_eq!(find(&catalog, "fine").definition.description, "ok");
    assert_eq!(catalog.find(&AgentName::new("broken")).unwrap_err().code, Code::BadAgent);
    assert_eq!(catalog.warnings().map(|warning| warning.code).collect::<Vec<_>>(), [Code::BadAgent]);
}

#[test]
fn an_unknown_agent_is_answered_with_the_nearest_name() {
    let catalog = Project::with(&[("agents/p.md", &agent("publisher", "x"))]).catalog(&[], "");
    let problem = catalog.find(&AgentName::new("publsher")).unwrap_err();
    assert_eq!((problem.code, &*problem.remedies.plain()), (Code::UnknownAgent, "did you mean `publisher`?"));
    let problem = catalog.find(&AgentName::new("zzzzzz")).unwrap_err();
    assert!(problem.remedies.plain().contains("agents/zzzzzz.md"), "{problem:?}");
}

#[test]
fn the_configuration_overrides_any_key_and_can_define_an_agent() {
    let project = Project::with(&[(".claude/agents/r.md", &agent("code-reviewer", "reviews"))]);
    let config = "[Code_Reviewer]\nexecutor = 'subprocess'\ncommand = ['bin/review']\n\
                  [greeter]\nexecutor = 'function'\nconcurrency = 2\n";
    let catalog = project.catalog(&[], config);
    let reviewer = &find(&catalog, "code reviewer").definition;
    assert_eq!((reviewer.executor, reviewer.description.as_str()), (ExecutorKind::Subprocess, "reviews"));
    assert_eq!(reviewer.command, ["bin/review"]);
    let greeter = find(&catalog, "greeter");
    assert_eq!(
        (greeter.definition.executor, greeter.definition.slots(), &greeter.file),
        (ExecutorKind::Function, 2, &None)
    );
}

#[test]
fn an_executor_of_the_configuration_takes_away_that_its_program_converses() {
    let file = "---\nname: talker\ndescription: d\ncommand: [talk]\nstream: true\n---\n";
    let project = Project::with(&[("agents/talker.md", file)]);
    let converses = |config: &str| find(&project.catalog(&[], config), "talker").definition.stream;
    assert!(converses("") && converses("[talker]\ncommand = ['other']"));
    assert!(!converses("[talker]\nexecutor = 'function'"));
    assert!(converses("[talker]\nexecutor = 'subprocess'\ncommand = ['other']\nstream = true"));
}

#[test]
fn of_the_built_in_agent_only_the_concurrency_can_be_set() {
    let project = Project::with(&[("agents/shell.md", &agent("shell", "mine"))]);
    let catalog = project.catalog(&[], "[shell]\nconcurrency = 3");
    let shell = &find(&catalog, "shell").definition;
    assert_eq!((shell.slots(), shell.executor), (3, ExecutorKind::Subprocess));
    assert_eq!(catalog.warnings().map(|warning| warning.code).collect::<Vec<_>>(), [Code::AgentHidden]);
    let catalog = project.catalog(&[], "[shell]\ncommand = ['rm']");
    assert_eq!(catalog.find(&AgentName::new("shell")).unwrap_err().code, Code::BadConfig);
}

#[test]
fn a_file_of_a_megabyte_is_no_agent() {
    let big = format!("{}{}", agent("big", "x"), "x".repeat(1024 * 1024));
    let catalog = Project::with(&[("agents/big.md", &big)]).catalog(&[], "");
    assert_eq!(catalog.find(&AgentName::new("big")).unwrap_err().code, Code::TooLarge);
}

const SCRIPTED: &str = "---\nname: mock\ndescription: d\nexecutor: scripted\nscript: answers.yaml\n---\n";

#[test]
fn a_script_is_found_beside_the_agents_file_or_in_the_work_folder_for_the_configuration() {
    let project = Project::with(&[
        ("agents/mock.md", SCRIPTED),
        ("agents/answers.yaml", "- output: 1\n"),
        ("answers.yaml", "- output: 2\n"),
    ]);
    let answers = |config: &str| {
        let definition = find(&project.catalog(&[], config), "mock").definition.clone();
        definition.check_usable().unwrap();
        let recorded = serde_json::to_string(&definition).unwrap();
        let read: AgentDefinition = serde_json::from_str(&recorded).unwrap();
        assert_eq!(read, definition, "what is recorded holds the answers");
        recorded
    };
    assert!(answers("").contains(r#"{"output":1}"#));
    assert!(answers("[mock]\nconcurrency = 1").contains(r#"{"output":1}"#));
    assert!(answers("[mock]\nscript = 'answers.yaml'").contains(r#"{"output":2}"#));
}

#[test]
fn a_script_that_cannot_be_used_is_a_problem_for_who_names_its_agent() {
    for (files, code) in [
        (&[("agents/mock.md", SCRIPTED)][..], Code::FileNotRead),
        (&[("agents/mock.md", SCRIPTED), ("agents/answers.yaml", "- {}\n")], Code::BadValue),
        (&[("agents/mock.md", "---\nname: mock\ndescription: d\nexecutor: scripted\n---\n")], Code::BadAgent),
    ] {
        let catalog = Project::with(files).catalog(&[], "");
        let found = catalog.find(&AgentName::new("mock"));
        let problem = found.and_then(|found| found.definition.check_usable()).unwrap_err();
        assert_eq!(problem.code, code, "{problem:?}");
    }
}
