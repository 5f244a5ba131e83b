use std::fs;

use super::*;
use crate::events::problem::Code;
use crate::events::problem::SourceLocation;
use crate::executors::delivery::Target;
use crate::workflow::work::Command;

struct Machine {
    folder: tempfile::TempDir,
    sources: Sources,
}

impl Machine {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let sources = Sources { home: Some(path("home")), cwd: path("project"), ..Sources::default() };
        Self { folder, sources }
    }

    fn file(self, name: &str, text: &str) -> Self {
        let file = self.folder.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
        self
    }

    fn project(text: &str) -> Self {
        Self::new().file("project/reenact.toml", text)
    }

    fn env(mut self, name: &str, value: &str) -> Self {
        self.sources.env.insert(name.to_owned(), value.to_owned());
        self
    }

    fn config(&self) -> Config {
        Config::load(&self.sources).unwrap()
    }

    fn problem(&self) -> Problem {
        let problem = Config::load(&self.sources).unwrap_err();
        assert_eq!(problem.code, Code::BadConfig, "{problem}");
        problem
    }
}

#[test]
fn the_defaults_set_every_key_and_explain_it() {
    let settings = layer::of_file(DEFAULT, "default.toml").unwrap();
    let mut set: Vec<_> = settings.iter().map(|setting| setting.path.join(".")).collect();
    let mut all: Vec<_> = keys::names().map(str::to_owned).collect();
    set.sort_unstable();
    all.sort_unstable();
    assert_eq!(set, all);
    let mut above = "";
    for line in DEFAULT.lines() {
        assert!(
            line.starts_with('#') || !line.contains('=') || above.starts_with('#'),
            "`{line}` has no comment"
        );
        above = line;
    }
}

#[test]
fn the_defaults_are_what_they_are_known_for() {
    let config = Machine::new().config();
    assert_eq!(config.store, Store { durability: Durability::Power, cache_bytes: 32 * 1024 * 1024 });
    assert_eq!(
        config.run,
        Run {
            parallel: 16,
            lost: 5,
            max_fallback_attempts: 2,
            fail_if_critical_skipped: true,
            warn_on_fallback: true
        }
    );
    assert_eq!(config.growth, Growth { depth: 3, width: 100, total: 1000, items: 100_000, handoffs_max: 5 });
    assert_eq!(config.approvals, Approvals::default());
    assert_eq!(config.process.grace, Duration::from_secs(5));
    assert_eq!(config.process.output_bytes_max, crate::executors::subprocess::OUTPUT_BYTES_MAX);
    assert_eq!(config.process.grace, crate::executors::subprocess::GRACE);
    assert_eq!(config.shutdown.grace, Duration::from_secs(10));
    assert_eq!(config.log.level, "warn");
}

#[test]
fn later_layers_win_key_by_key() {
    let mut machine = Machine::new()
        .file(
            "home/.config/reenact/config.toml",
            "[run]\nparallel = 1\nlost = 11\n[process]\ngrace='1s'\n[log]\nlevel='info'",
        )
        .file("project/reenact.toml", "[run]\nparallel = 2\n[process]\ngrace='2s'\n[store]\ncache = 2097152")
        .file("other.toml", "[run]\nparallel = 3\n[process]\ngrace='1m'")
        .env("REENACT_RUN__PARALLEL", "4")
        .env("REENACT_EXPRESSIONS__ENV", "A, B")
        .env("REENACT_PROCESS__ENVIRONMENT", "[\"C\"]")
        .env("REENACT_STORE__DURABILITY", "process")
        .env("REENACT__AGENT_PATHS", "~/agents,more");
    machine.sources.explicit = Some(machine.folder.path().join("other.toml"));
    let config = machine.config();
    assert_eq!(
        config.run,
        Run {
            parallel: 4,
            lost: 11,
            max_fallback_attempts: 2,
            fail_if_critical_skipped: true,
            warn_on_fallback: true
        }
    );
    assert_eq!(config.process.grace, Duration::from_secs(60));
    assert_eq!(config.store, Store { durability: Durability::Process, cache_bytes: 2_097_152 });
    assert_eq!(
        (config.expressions.env, config.process.environment),
        (vec!["A".into(), "B".into()], vec!["C".into()])
    );
    assert_eq!(config.log.level, "info");
    assert_eq!(config.agent_paths, [machine.folder.path().join("home/agents"), PathBuf::from("more")]);
}

#[test]
fn the_xdg_folder_is_used_in_place_of_the_home_folders() {
    let machine = Machine::new()
        .file("home/.config/reenact/config.toml", "[run]\nlost = 2")
        .file("xdg/reenact/config.toml", "[run]\nlost = 3");
    let xdg = machine.folder.path().join("xdg").display().to_string();
    assert_eq!(machine.env("XDG_CONFIG_HOME", &xdg).config().run.lost, 3);
}

#[test]
fn what_a_step_finds_in_its_environment_is_no_configuration() {
    let machine = ["DATA", "RUN", "STEP", "ATTEMPT", "IDEMPOTENCY_KEY", "PURPOSE", "OUTCOME"]
        .iter()
        .fold(Machine::new(), |machine, name| machine.env(&format!("REENACT_{name}"), "x"))
        .env("REENACTED__X", "x");
    assert_eq!(machine.config(), Machine::new().config());
}

#[test]
fn an_unknown_key_is_refused_with_its_place_and_the_nearest_known_one() {
    let problem = Machine::project("# mine\n\n[run]\n  paralel = 4\n").problem();
    assert_eq!(
        (problem.message.as_str(), &*problem.remedies.plain()),
        ("unknown key `run.paralel`", "did you mean `run.parallel`?")
    );
    let SourceLocation { file, line, column } = problem.at.unwrap();
    assert!(file.ends_with("project/reenact.toml"), "{file}");
    assert_eq!((line, column), (4, 3));
    for (text, near) in [
        ("parallel = 4", "run.parallel"),
        ("[runs]\nlost = 4", "run"),
        ("agent_path = ['x']", "agent_paths"),
        ("[run.parallel]\nx = 1", ""),
        ("[agents.a]\ncomand = ['x']", "command"),
    ] {
        let problem = Machine::project(text).problem();
        assert!(
            near.is_empty() || problem.remedies.plain() == format!("did you mean `{near}`?"),
            "{text}: {problem:?}"
        );
    }
}

#[test]
fn a_value_that_a_key_does_not_take_is_refused_with_what_it_takes() {
    for (text, message) in [
        ("[run]\nparallel = 0", "`run.parallel` is `0`: give it a whole number from 1 to 100000"),
        ("[run]\nparallel = 'many'", "`run.parallel` is `\"many\"`: give it a whole number"),
        ("[run]\nmax_fallback_attempts = 0", "`run.max_fallback_attempts` is `0`: give it a whole number"),
        ("[run]\nfail_if_critical_skipped = 1", "`run.fail_if_critical_skipped` is `1`: it is `true` or"),
        ("[growth]\ndepth = 0", "`growth.depth` is `0`: give it a whole number from 1 to 100"),
        ("[growth]\nwidth = 10001", "`growth.width` is `10001`: give it a whole number from 1 to 10000"),
        ("[growth]\ntotal = -1", "`growth.total` is `-1`: give it a whole number from 0 to 1000000"),
        ("[approvals]\nchecklist = [1]", "`approvals.checklist` is `[1]`: give it a list of texts"),
        (
            "[approvals]\nchecklist = [\"a\\u0007\"]",
            "`approvals.checklist` is `[\"a\\u0007\"]`: give it at most 100 texts of one line",
        ),
        ("[approvals]\ncheck = 'make check'", "`approvals.check` is `\"make check\"`: give it the program"),
        ("[approvals]\ncheck = ['']", "`approvals.check` is `[\"\"]`: give it the program"),
        ("[process]\ngrace = 5", "`process.grace` is `5`: write it like \"10s\""),
        ("[process]\ngrace = '5 apples'", "`process.grace` is `\"5 apples\"`: `5 apples` is not a duration"),
        ("[process]\nenvironment = [1]", "`process.environment` is `[1]`: give it a list of texts"),
        ("[store]\ncache = '32 elephants'", "`store.cache` is `\"32 elephants\"`: write it like"),
        ("[store]\ncache = '1KiB'", "`store.cache` is `\"1KiB\"`: give it 1048576 to"),
        ("[store]\ncache = '99999999999999999999GiB'", "`store.cache` is"),
        ("[store]\ndurability = 'none'", "`store.durability` is `\"none\"`: it is \"power\" or \"process\""),
        ("[log]\nlevel = 'loud'", "`log.level` is `\"loud\"`: it is one of off"),
        ("[log]\nlevel = 'info,a=loud'", "`log.level` is `\"info,a=loud\"`: it is one of off"),
        ("[log]\nformat = 'xml'", "`log.format` is `\"xml\"`: it is \"text\" or \"json\""),
        ("[log]\nfile = 1", "`log.file` is `1`: give it a text"),
        ("store = 3", "`store` is a section"),
        ("agents = 3", "`agents` is a section"),
        ("[agents.a]\nconcurrency = 0", "`agents.a.concurrency` is `0`: give it"),
        ("[agents.shell]\ncommand = ['x']", "`agents.shell.command` cannot be set"),
        ("[agents.workflow]\nconcurrency = 3", "`agents.workflow.concurrency` cannot be set"),
        ("[agents.a]\nfallback = 'b'", "`agents.a.fallback` is `\"b\"`: give it a map"),
        ("[agents.a.fallback]\nagent = 'shell'", "`agents.a.fallback` is `{\"agent\":\"shell\"}`: no agent"),
        ("[agents.a]\ncriticality = 'urgent'", "`agents.a.criticality` is `\"urgent\"`: one of critical"),
        ("[agents.a]\nname = 'b'", "`agents.a.name` cannot be set"),
    ] {
        let problem = Machine::project(text).problem();
        assert!(problem.message.starts_with(message), "{text}: {problem}");
        assert!(problem.at.is_some(), "{text}");
    }
}

#[test]
fn what_people_are_asked_is_configured() {
    let config = Machine::project(
        "[approvals]\nchecklist = ['Look, twice', 'Ask']\ncheck = ['make', ' a b ', '']\n[growth]\ntotal = 0",
    );
    let config = config.config();
    assert_eq!(config.approvals.checklist, ["Look, twice", "Ask"]);
    assert_eq!(config.approvals.check, ["make", " a b ", ""], "arguments are taken as they are");
    assert_eq!(config.growth.total, 0);
}

#[test]
fn how_tools_test_is_a_text_for_the_shell_or_a_list_and_a_program_of_the_folder() {
    let config = Machine::project("[tools]\ntest = ' cargo test '\nprivate_addresses = true").config();
    assert_eq!(config.tools.test, Some(Command::Shell("cargo test".to_owned())));
    assert!(config.tools.private_addresses);
    assert!(config.project.unwrap().programs.contains("tools.test"), "it is run only where that is trusted");
    let list = Machine::project("[tools]\ntest = ['cargo', 'test']").config();
    assert_eq!(list.tools.test, Some(Command::List(vec!["cargo".to_owned(), "test".to_owned()])));
    let machine = Machine::project("[tools]\ntest = 7");
    assert!(machine.problem().message.contains("give it a text for the shell, or a list"));
    let none = Machine::project("[tools]\ntest = ''").config();
    assert_eq!((none.tools, none.project), (Default::default(), None));
}

#[test]
fn a_mistake_in_the_environment_names_the_variable() {
    let problem = Machine::new().env("REENACT_RUN__PARALEL", "4").problem();
    assert_eq!(problem.message, "in the environment, `REENACT_RUN__PARALEL`: unknown key `run.paralel`");
    let problem = Machine::new().env("REENACT_PROCESS__GRACE", "").problem();
    assert!(problem.message.contains("`REENACT_PROCESS__GRACE`"), "{problem}");
}

#[test]
fn what_is_not_toml_is_refused_with_its_place() {
    for text in ["[run]\nparallel = \n", "[run]\nlost = 1\nlost = 2\n"] {
        let at = Machine::project(text).problem().at.unwrap();
        assert!(at.line >= 2, "{text}: {at:?}");
    }
}

#[test]
fn a_file_that_was_asked_for_must_be_there() {
    let mut machine = Machine::new();
    machine.sources.explicit = Some(PathBuf::from("absent.toml"));
    assert_eq!(Config::load(&machine.sources).unwrap_err().code, Code::FileNotRead);
}

#[test]
fn two_spellings_of_an_agent_are_one() {
    let machine = Machine::project("[agents.code-reviewer]\nconcurrency = 1\nexecutor = 'function'")
        .env("REENACT_AGENTS__CODE_REVIEWER__CONCURRENCY", "2");
    let agents = machine.config().agents;
    let expected: toml::Table = "concurrency = 2\nexecutor = 'function'".parse().unwrap();
    assert_eq!(agents, BTreeMap::from([("code-reviewer".to_owned(), expected)]));
}

#[test]
fn notices_say_who_is_told_of_what() {
    let config = Machine::project(
        "[[notify]]\non = ['run_stuck', 'approval_requested']\ncommand = ['bin/tell', 'ops']\n\
         [[notify]]\nname = 'chat'\non = ['run_failed']\nurl = 'https://chat.example.org/x'\ntoken_env = 'CHAT'\n",
    );
    let notices = config.config().notify;
    assert_eq!(notices.len(), 2);
    assert_eq!(notices[0].target, Target::Command(vec!["bin/tell".into(), "ops".into()]));
    assert!(notices[0].on.contains("run_stuck") && notices[0].on.contains("approval_requested"));
    let url = "https://chat.example.org/x".to_owned();
    assert_eq!(notices[1].target, Target::Url { url, token_env: Some("CHAT".into()) });
    assert_eq!(notices[1].name.as_deref(), Some("chat"));
}

#[test]
fn secrets_are_what_the_process_and_keys_that_end_with_env_name() {
    let machine = Machine::project(
        "[[notify]]\non = ['run_failed']\nurl = 'https://chat.example.org/x'\ntoken_env = 'CHAT'\n",
    );
    let config = machine.env("REENACT_PROCESS__SECRETS", "NPM,PYPI").config();
    let names = ["CHAT", "NPM", "PYPI"].map(str::to_owned);
    assert_eq!(config.secrets(), names.into());
    for name in ["NPM", "CHAT"] {
        let text = format!(
            "[expressions]\nenv = ['{name}']\n[process]\nsecrets = ['NPM']\n\
             [[notify]]\non = ['run_failed']\nurl = 'https://x'\ntoken_env = 'CHAT'\n"
        );
        let problem = Machine::project(&text).problem();
        assert_eq!(problem.code, Code::BadConfig);
        assert!(problem.message.contains(&format!("`expressions.env` names `{name}`")), "{problem}");
    }
}

#[test]
fn a_notice_that_makes_no_sense_is_refused_with_what_is_wrong() {
    // Its place in the log could not be saved, under a key so long: it was told of
    // everything again and again.
    let long_name = format!("on = ['run_stuck']\ncommand = ['x']\nname = '{}'", "n".repeat(61));
    for (text, part) in [
        (
            "on = ['run_stcuk']\ncommand = ['x']",
            "no event has the type `run_stcuk`: did you mean `run_stuck`?",
        ),
        ("on = ['run_stuck']", "give either `command` or `url`"),
        ("on = ['run_stuck']\ncommand = ['x']\nurl = 'http://x'", "give either `command` or `url`"),
        ("on = ['run_stuck']\ncommand = []", "`command` names no program"),
        ("on = []\ncommand = ['x']", "`on` names no type"),
        ("command = ['x']", "`on` is missing"),
        ("on = ['run_stuck']\nurl = 'ftp://x'", "`url` is no address"),
        ("on = ['run_stuck']\ncommand = ['x']\ntoken_env = 'X'", "`token_env` is for a `url`"),
        ("on = ['run_stuck']\ncomand = ['x']", "the key `comand` is unknown: did you mean `command`?"),
        ("on = 3\ncommand = ['x']", "`on`: give it a list"),
        ("on = ['run_stuck']\nurl = 3", "`url`: give it a text"),
        (&long_name, "`name` takes at most 60 characters"),
    ] {
        let problem = Machine::project(&format!("[[notify]]\n{text}\n")).problem();
        assert!(problem.message.contains(part), "{text}: {problem}");
        assert!(problem.at.is_some(), "{text}");
    }
    let twice = "[[notify]]\non = ['run_stuck']\ncommand = ['x']\n".repeat(2);
    assert!(Machine::project(&twice).problem().message.contains("number 2 is the same as number 1"));
    assert!(Machine::project("notify = 3").problem().message.contains("[[notify]]"));
}
