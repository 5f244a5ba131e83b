//! `config show`: each setting, where it comes from, and no secret.

use std::fs;

use crate::support::Sandbox;

#[test]
fn each_setting_is_shown_with_where_it_comes_from() {
    let sandbox = Sandbox::new();
    let user = sandbox.root().join("home/.config/reenact");
    fs::create_dir_all(&user).unwrap();
    fs::write(user.join("config.toml"), "[run]\nparallel = 2\nlost = 7\n").unwrap();
    sandbox.write("reenact.toml", "# mine\n\n[run]\nparallel = 3\n[agents.Some_One]\nconcurrency = 2\n");
    let named = sandbox.write("other.toml", "[store]\ncache = \"64MiB\"\n");
    let mut command =
        sandbox.command(&["config", "show", "--json", "--config", "other.toml", "--log", "debug"]);
    command.env("REENACT_SHUTDOWN__GRACE", "1s").env("REENACT_PROCESS__ENVIRONMENT", "A,B");
    let ended = sandbox.start(command).wait();
    assert_eq!(ended.code(), Some(0), "{ended}");
    let all = ended.json();
    let is = |key: &str, value: serde_json::Value, from: &str| {
        assert_eq!(all[key], serde_json::json!({"value": value, "from": from}), "{key}");
    };
    is("run.lost", 7.into(), &format!("{}:3", user.join("config.toml").display()));
    is("run.parallel", 3.into(), &format!("{}:4", sandbox.work("reenact.toml").display()));
    is("agents.someone.concurrency", 2.into(), &format!("{}:6", sandbox.work("reenact.toml").display()));
    is("store.cache", "64MiB".into(), "other.toml:2");
    is("shutdown.grace", "1s".into(), "environment REENACT_SHUTDOWN__GRACE");
    is("process.environment", serde_json::json!(["A", "B"]), "environment REENACT_PROCESS__ENVIRONMENT");
    is("log.level", "debug".into(), "--log");
    is("growth.depth", 3.into(), "default");
    fs::remove_file(named).unwrap();
    let people = sandbox.reenact(&["config", "show"]);
    let line = people.stdout.lines().find(|line| line.starts_with("run.parallel ")).unwrap();
    assert!(line.trim_end().ends_with("  reenact.toml:4"), "{people}");
    let columns: Vec<_> = people.stdout.lines().filter_map(|line| line.find("  default")).collect();
    assert!(columns.len() > 15 && columns.windows(2).all(|pair| pair[0] == pair[1]), "{people}");
    assert!(!sandbox.data().exists());
}

#[test]
fn no_secret_is_shown() {
    let sandbox = Sandbox::new();
    sandbox.configure(
        "[process]\nsecrets = ['TOKEN']\n[agents.a]\nexecutor = 'subprocess'\ncommand = ['send', '--token', 'open-sesame']\n\
         [[notify]]\non = ['run_failed']\nurl = 'https://ada:pass@hooks.example.org:8443/services/T0/B0/xyzzy?key=k'\n",
    );
    let mut command = sandbox.command(&["config", "show", "--json"]);
    command.env("TOKEN", "open-sesame");
    let ended = sandbox.start(command).wait();
    let all = ended.json();
    assert_eq!(all["agents.a.command"]["value"], serde_json::json!(["send", "--token", "[TOKEN]"]));
    assert_eq!(all["notify"]["value"][0]["url"], "https://hooks.example.org:8443/[hidden]");
    assert_eq!(all["process.secrets"]["value"], serde_json::json!(["TOKEN"]));
    for secret in ["open-sesame", "pass@", "xyzzy", "key=k"] {
        assert!(!ended.stdout.contains(secret) && !ended.stderr.contains(secret), "{secret}: {ended}");
    }
}

#[test]
fn what_is_not_in_effect_is_marked_and_what_is_wrong_ends_with_2() {
    let sandbox = Sandbox::new();
    sandbox.write("reenact.toml", "[approvals]\ncheck = ['true']\n[run]\nlost = 3\n");
    let ended = sandbox.reenact(&["config", "show", "--json"]);
    assert_eq!(ended.code(), Some(0), "{ended}");
    let all = ended.json();
    assert!(
        all["approvals.check"]["from"].as_str().unwrap().ends_with("reenact.toml:2, not trusted"),
        "{all}"
    );
    assert!(all["run.lost"]["from"].as_str().unwrap().ends_with("reenact.toml:4"), "{all}");
    assert!(ended.stderr.contains("RE-5002") && ended.stderr.contains("reenact trust"), "{ended}");
    sandbox.json(0, &["trust"]);
    let ended = sandbox.reenact(&["config", "show", "--json"]);
    assert!(ended.json()["approvals.check"]["from"].as_str().unwrap().ends_with("reenact.toml:2"), "{ended}");
    sandbox.write("reenact.toml", "[rnu]\n");
    assert_eq!(sandbox.json(2, &["config", "show"])["error"]["code"], "RE-5001");
}
