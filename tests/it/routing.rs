//! `route` and `ask` without an agent: requests go to who fits them, with the real binary.

use serde_json::{Value, json};

use crate::support::Sandbox;

/// Agents that answer with their name and keep the document that they were given; `grump` fails.
fn machine() -> Sandbox {
    let sandbox = Sandbox::new();
    let agent = |name: &str, description: &str, program: &str| {
        let command = serde_json::to_string(&["sh", "-c", program]).unwrap();
        let text = format!("---\nname: {name}\ndescription: {description}\ncommand: {command}\n---\n");
        sandbox.write(&format!("agents/{name}.md"), text);
    };
    let answers = |name: &str| format!("cat > got-{name}; echo '{{\"by\": \"{name}\"}}'");
    agent("dns_specialist", "DNS zones and records, and mail authentication", &answers("dns_specialist"));
    agent("data_analyst", "Databases, SQL, and what can be read out of data", &answers("data_analyst"));
    agent("docs_writer", "Writes release notes, mails and documentation", &answers("docs_writer"));
    agent("manager", "Splits tasks and gives them to others", &answers("manager"));
    sandbox
}

const DNS: &str = "help me configure Azure DNS records";

fn code(refused: &Value) -> &str {
    refused["error"]["code"].as_str().unwrap()
}

fn got(sandbox: &Sandbox, agent: &str) -> Value {
    serde_json::from_slice(&std::fs::read(sandbox.work(&format!("got-{agent}"))).unwrap()).unwrap()
}

#[test]
fn a_request_is_shown_with_who_fits_it_and_nothing_is_recorded() {
    let sandbox = machine();
    let shown = sandbox.json(0, &["route", &format!("{DNS} of shop.example.com for $500")]);
    let keys: Vec<&String> = shown.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["domain", "category", "complexity", "confidence", "strategy", "entities", "agents"]);
    assert_eq!((&shown["domain"], &shown["category"]), (&"infra".into(), &"task".into()));
    assert_eq!(sandbox.json(0, &["route", DNS])["strategy"], "single_agent");
    assert_eq!(shown["agents"][0]["name"], "dns_specialist", "{shown}");
    let score = shown["agents"][0]["score"].as_f64().unwrap();
    assert!((0.3..=1.0).contains(&score), "{shown}");
    assert!(shown["agents"][0]["why"].as_array().unwrap().len() >= 2, "{shown}");
    assert_eq!(
        shown["entities"],
        json!([
            {"kind": "host", "text": "shop.example.com"},
            {"kind": "money", "text": "$500", "value": 500, "unit": "USD"},
        ])
    );
    let explained = sandbox.json(0, &["route", DNS, "--explain"]);
    assert_eq!(explained["explained"]["complexity"].as_array().unwrap().len(), 8, "{explained}");
    let told = sandbox.reenact(&["route", DNS, "--explain"]);
    assert!(told.stdout.contains("complexity +3: action, by configure"), "{told}");
    let nobody = sandbox.json(0, &["route", "bake a chocolate cake"]);
    assert_eq!(nobody["agents"], json!([]));
    assert!(nobody["confidence"].as_f64().unwrap() <= 0.3, "{nobody}");
    assert!(!sandbox.data().exists(), "to look makes nothing");
    let known = sandbox.json(0, &["route", "make it faster", "--context", "domain=data"]);
    assert_eq!((&known["domain"], &known["agents"][0]["name"]), (&"data".into(), &"data_analyst".into()));
}

#[test]
fn what_cannot_be_routed_is_told_with_what_to_do() {
    let sandbox = machine();
    assert_eq!(code(&sandbox.json(2, &["route", " "])), "RE-1902");
    assert_eq!(code(&sandbox.json(2, &["ask", " \n"])), "RE-1902");
    for context in ["domain", "=web", "domain=", "domain=wep", "category=chore"] {
        let refused = sandbox.json(2, &["route", DNS, "--context", context]);
        assert_eq!(code(&refused), "RE-1001", "{refused}");
    }
    let near = sandbox.json(2, &["route", DNS, "--context", "domain=wep"]);
    assert_eq!(near["error"]["hint"], "did you mean `web`?");
    assert_eq!(sandbox.reenact(&["route"]).code(), Some(2));
    let nobody = sandbox.json(2, &["ask", "bake a chocolate cake"]);
    assert_eq!(code(&nobody), "RE-1311");
    assert!(nobody["error"]["hint"].as_str().unwrap().contains("--agent"), "{nobody}");
    sandbox.write("config/routing.toml", "[domains.web]\nstrong = [\"cake\"]\n[domains.wep]\n");
    let wrong = sandbox.json(2, &["route", DNS]);
    assert_eq!((code(&wrong), &wrong["error"]["at"]["line"]), ("RE-1903", &3.into()), "{wrong}");
    assert_eq!(wrong["error"]["at"]["file"], "config/routing.toml");
    assert_eq!(code(&sandbox.json(2, &["ask", DNS])), "RE-1903");
    sandbox.write("config/routing.toml", "[domains.web]\nstrong = [\"cake\"]\n");
    assert_eq!(sandbox.json(0, &["route", "a cake"])["domain"], "web");
    sandbox.write("reenact.toml", "[routing]\nrules = \"mine.toml\"\n");
    assert_eq!(code(&sandbox.json(2, &["route", DNS])), "RE-1101");
    let alone = Sandbox::new();
    assert_eq!(code(&alone.json(2, &["route", DNS])), "RE-1901");
    assert_eq!(code(&alone.json(2, &["ask", DNS])), "RE-1901");
    assert!(!sandbox.data().exists() && !alone.data().exists(), "nothing was started");
}

#[test]
fn cases_are_counted_by_class_and_a_bad_line_is_named() {
    let sandbox = Sandbox::new();
    let lines = [
        json!({"query": DNS, "domain": "infra", "complexity": [5, 7], "strategy": "single_agent"}),
        json!({"query": "what is DNS?", "domain": "infra", "category": "question", "complexity": 1}),
        json!({"query": "what is a cake?", "domain": "web"}),
    ];
    sandbox.write("cases.jsonl", lines.map(|line| format!("{line}\n")).concat());
    let score = sandbox.json(0, &["route", "--eval", "cases.jsonl"]);
    assert_eq!((&score["cases"], &score["all"]), (&3.into(), &json!({"hits": 2, "of": 3})));
    assert_eq!(score["totals"]["complexity"], json!({"hits": 2, "of": 2}));
    assert_eq!(
        score["classes"]["domain"],
        json!({"infra": {"hits": 2, "of": 2}, "web": {"hits": 0, "of": 1}})
    );
    assert_eq!(score["misses"], json!([{"line": 3, "what": "domain", "expected": "web", "got": "general"}]));
    let told = sandbox.reenact(&["route", "--eval", "cases.jsonl"]);
    assert!(told.stdout.contains("  infra: 2 of 2 (100 %)"), "{told}");
    sandbox.write(
        "cases.jsonl",
        "{\"query\": \"a\", \"domain\": \"web\"}\n{\"query\": \"b\", \"domain\": \"wep\"}\n",
    );
    let wrong = sandbox.json(2, &["route", "--eval", "cases.jsonl"]);
    assert_eq!((code(&wrong), &wrong["error"]["at"]["line"]), ("RE-1904", &2.into()), "{wrong}");
    assert_eq!(code(&sandbox.json(2, &["route", "--eval", "none.jsonl"])), "RE-1101");
}

#[test]
fn what_was_decided_is_the_second_event_of_the_run_and_told_by_whoever_looks() {
    let sandbox = machine();
    let report = sandbox.json(0, &["ask", DNS, "--id", "r"]);
    assert_eq!(report["output"], json!({"by": "dns_specialist"}));
    assert_eq!(
        (&report["routed"]["domain"], &report["routed"]["strategy"]),
        (&"infra".into(), &"single_agent".into())
    );
    assert_eq!(report["routed"]["agents"][0]["name"], "dns_specialist");
    assert_eq!(got(&sandbox, "dns_specialist")["prompt"], DNS);
    let lines = sandbox.history("r");
    assert_eq!((&lines[0]["type"], &lines[1]["type"]), (&"run_started".into(), &"request_routed".into()));
    let data = &lines[1]["data"];
    let keys: Vec<&String> = data.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["query", "domain", "category", "complexity", "confidence", "strategy", "agents"]);
    assert_eq!((&data["query"], &data["category"]), (&DNS.into(), &"task".into()), "{data}");
    assert_eq!(data["agents"], report["routed"]["agents"]);
    let status = sandbox.reenact(&["status", "r"]);
    assert!(status.stdout.contains("routed as task about infra, complexity 6, single_agent"), "{status}");
    let why = sandbox.reenact(&["why", "r"]);
    assert!(why.stdout.contains("the request was taken for task about infra, complexity 6"), "{why}");
    assert_eq!(sandbox.json(0, &["verify"])["ok"], true);
    let named = sandbox.json(0, &["ask", "--agent", "docs_writer", DNS, "--id", "n"]);
    assert_eq!(named["routed"], Value::Null, "who is named is asked, and nothing was decided");
}

#[test]
fn success_weighs_and_a_run_that_was_asked_for_stays_the_run_that_it_is() {
    let sandbox = Sandbox::new();
    let agent = |name: &str, program: &str| {
        let command = serde_json::to_string(&["sh", "-c", program]).unwrap();
        let text =
            format!("---\nname: {name}\ndescription: DNS zones and records\ncommand: {command}\n---\n");
        sandbox.write(&format!("agents/{name}.md"), text);
    };
    agent("anna", "cat > /dev/null; [ -e well ] && echo '{}'");
    agent("bert", "cat > /dev/null; echo '{}'");
    sandbox.write("well", "");
    assert_eq!(sandbox.json(0, &["ask", DNS, "--id", "first"])["steps"][0]["agent"], "anna", "by name");
    std::fs::remove_file(sandbox.work("well")).unwrap();
    for _ in 0..4 {
        assert_eq!(sandbox.json(1, &["ask", "--agent", "anna", DNS])["status"], "failed");
        sandbox.json(0, &["ask", "--agent", "bert", DNS]);
    }
    let shown = sandbox.json(0, &["route", DNS]);
    assert_eq!(shown["agents"][0]["name"], "bert", "{shown}");
    let why = shown["agents"][1]["why"].as_array().unwrap();
    assert!(why.contains(&"it succeeded in 1 of 5 attempts".into()), "{shown}");
    assert_eq!(sandbox.json(0, &["ask", DNS])["steps"][0]["agent"], "bert");
    let again = sandbox.json(0, &["ask", DNS, "--id", "first"]);
    assert_eq!((&again["steps"][0]["agent"], &again["run"]), (&"anna".into(), &"first".into()));
    assert_eq!(code(&sandbox.json(2, &["ask", "set up DNSSEC", "--id", "first"])), "RE-1005");
}

const CHAIN: &str = "First export the users table of our database to CSV with SQL, then configure the DNS records of {{ example.com }}, and finally write the release notes";

#[test]
fn orch_002_a_request_of_several_parts_becomes_a_step_for_each_done_by_who_fits_it() {
    let sandbox = machine();
    let report = sandbox.json(0, &["ask", CHAIN, "--id", "r"]);
    assert_eq!(report["routed"]["strategy"], "chain", "{report}");
    let steps: Vec<_> =
        report["steps"].as_array().unwrap().iter().map(|step| (&step["id"], &step["agent"])).collect();
    let (part, agent) = (|number| json!(format!("part_{number}")), |name: &str| json!(name));
    assert_eq!(
        steps,
        [
            (&part(1), &agent("data_analyst")),
            (&part(2), &agent("dns_specialist")),
            (&part(3), &agent("docs_writer")),
        ]
    );
    assert_eq!(report["output"], json!({"by": "docs_writer"}), "what the last answers is the output");
    let again = sandbox.json(0, &["ask", CHAIN, "--id", "r"]);
    assert_eq!(again["version"], report["version"], "asked again it is the same run");
}

#[test]
fn orch_006_each_agent_of_a_chain_is_given_what_those_before_it_answered() {
    let sandbox = machine();
    sandbox.json(0, &["ask", CHAIN, "--input", "ticket=T-1"]);
    let first = got(&sandbox, "data_analyst");
    assert_eq!(first["input"]["earlier"], json!([]));
    let last = got(&sandbox, "docs_writer");
    let by = |agent: &str| json!({"agent": agent, "output": {"by": agent}});
    assert_eq!(last["input"]["earlier"], json!([by("data_analyst"), by("dns_specialist")]));
    assert_eq!((&last["input"]["query"], &last["input"]["input"]["ticket"]), (&CHAIN.into(), &"T-1".into()));
    assert_eq!(last["input"]["part"], "and finally write the release notes");
    let prompt = last["prompt"].as_str().unwrap();
    assert!(prompt.starts_with(CHAIN) && prompt.contains("dns_specialist answered to part 2"), "{prompt}");
    let second = got(&sandbox, "dns_specialist")["input"]["part"].clone();
    assert_eq!(second, "then configure the DNS records of {{ example.com }}", "braces are text");
}

#[test]
fn large_work_begins_with_who_coordinates() {
    let sandbox = machine();
    let query = "Plan and migrate all our 200 on-premises database servers and websites to AWS with zero downtime, GDPR compliance and load tests";
    let report = sandbox.json(0, &["ask", query]);
    assert_eq!(report["routed"]["strategy"], "coordinator", "{report}");
    assert_eq!(report["steps"][0]["agent"], "manager");
    std::fs::remove_file(sandbox.work("agents/manager.md")).unwrap();
    let report = sandbox.json(0, &["ask", query]);
    assert_eq!(
        report["steps"][0]["agent"], report["routed"]["agents"][0]["name"],
        "without one, with the best"
    );
}

#[test]
fn whom_no_agent_fits_the_configured_one_is_asked() {
    let sandbox = machine();
    sandbox.write("reenact.toml", "default_agent = \"docs writer\"\n");
    let report = sandbox.json(0, &["ask", "bake a chocolate cake"]);
    assert_eq!((&report["steps"][0]["agent"], &report["routed"]), (&"docs_writer".into(), &Value::Null));
    assert_eq!(sandbox.json(0, &["ask", DNS])["steps"][0]["agent"], "dns_specialist");
    // Nor is one who only may be right: what was decided is recorded all the same.
    let unsure = sandbox.json(0, &["route", "something about zones"]);
    assert!(unsure["confidence"].as_f64().unwrap() < 0.7, "{unsure}");
    assert_eq!(unsure["agents"][0]["name"], "dns_specialist");
    let report = sandbox.json(0, &["ask", "something about zones"]);
    assert_eq!(report["steps"][0]["agent"], "docs_writer", "{report}");
    assert_eq!(report["routed"]["agents"][0]["name"], "dns_specialist", "{report}");
}
