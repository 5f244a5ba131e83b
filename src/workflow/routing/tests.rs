use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

use super::cases::Score;
use super::*;
use crate::events::ids::AgentName;
use crate::events::problem::Code;

fn rules() -> Rules {
    Rules::built_in().unwrap()
}

fn classified(query: &str) -> Classified {
    rules().classify(query, &Context::default())
}

fn candidate<'a>(name: &'a AgentName, description: &'a str, past: Past) -> Candidate<'a> {
    Candidate { name, description, expertise: Vec::new(), body: "", past }
}

/// The names of those that fit, the best first.
fn ranked(agents: &[(&str, &str, Past)], query: &str) -> Vec<String> {
    let rules = rules();
    let names: Vec<AgentName> = agents.iter().map(|(name, ..)| AgentName::new(name)).collect();
    let candidates: Vec<_> = names
        .iter()
        .zip(agents)
        .map(|(name, (_, description, past))| candidate(name, description, *past))
        .collect();
    let fits =
        Index::of(&rules, &candidates).rank(&rules, query, &rules.classify(query, &Context::default()));
    fits.into_iter().map(|fit| fit.name.to_string()).collect()
}

fn share_of_hits(file: &str, text: &str, count: u64) -> u64 {
    let rules = rules();
    let mut score = Score::default();
    for case in cases::read(text, file).unwrap() {
        score.add(&case, &rules.classify(&case.query, &case.context), None);
    }
    assert_eq!(score.cases, count, "{file}");
    for (what, hits) in &score.totals {
        assert!(hits.percent() >= 80, "{file}: {what} {hits:?}: {:?}", score.misses);
    }
    score.all.percent()
}

#[test]
fn of_the_cases_that_nobody_tuned_on_four_of_five_are_right_in_all() {
    let held = include_str!("../../../examples/routing/held-out.jsonl");
    assert!(share_of_hits("held-out.jsonl", held, 50) >= 80);
    let tuned = include_str!("../../../examples/routing/tune.jsonl");
    assert!(share_of_hits("tune.jsonl", tuned, 60) >= 80);
}

#[test]
fn what_is_to_be_done_is_more_work_than_what_is_to_be_told() {
    let told = classified("what is the difference between A and CNAME records");
    assert_eq!((told.category, told.domain), (Category::Question, Domain::Infra));
    assert!(told.complexity <= 2, "{told:?}");
    let done = classified("help me configure Azure DNS records");
    assert_eq!((done.category, done.strategy), (Category::Task, Strategy::SingleAgent));
    assert!((5..=7).contains(&done.complexity), "{done:?}");
    let indicators = done.explained.complexity.iter().map(|counted| counted.indicator.text());
    assert_eq!(
        indicators.collect::<Vec<_>>(),
        ["action", "technology", "breadth", "parts", "scale", "risk", "constraints", "integration"]
    );
    let sum: u8 = done.explained.complexity.iter().map(|counted| counted.points).sum();
    assert_eq!(sum + 1, done.complexity);
}

#[test]
fn requests_of_odd_shape_are_understood_as_far_as_they_can_be() {
    for nothing in
        ["", "   ", "???", "…!!! --- ;;", "\u{1f600}\u{1f680}", "\u{0}\u{1b}[2J", "1234 5678", "的"]
    {
        let understood = classified(nothing);
        assert_eq!(understood.domain, Domain::General, "{nothing:?}");
        assert!(understood.complexity <= 2, "{nothing:?}: {understood:?}");
        assert!(understood.certainty.number() <= 0.3, "{nothing:?}: {understood:?}");
    }
    let loud = classified("HELP ME CONFIGURE AZURE DNS RECORDS!!!");
    let quiet = classified("help me configure azure dns records");
    assert_eq!(
        (loud.domain, loud.category, loud.complexity),
        (quiet.domain, quiet.category, quiet.complexity)
    );
    for (query, domain, category) in [
        ("Was ist eine Datenbank?", Domain::Data, Category::Question),
        ("¿Qué es el phishing?", Domain::Security, Category::Question),
        ("Créer une page web avec un formulaire de contact", Domain::Web, Category::Task),
        ("Konfiguriere den DNS-Server für unser Netzwerk", Domain::Infra, Category::Task),
    ] {
        let understood = classified(query);
        assert_eq!((understood.domain, understood.category), (domain, category), "{query}");
    }
}

#[test]
fn what_is_pasted_does_not_outweigh_what_is_asked() {
    let code =
        "```rust\nfn main() { let server = Server::bind(\"10.0.0.1\"); database.query(sql).unwrap(); }\n```";
    let asked = classified(&format!("Write unit tests for this:\n{code}"));
    assert_eq!((asked.domain, asked.category), (Domain::Testing, Category::Task));
    let trace = "Why does this happen?\nTraceback (most recent call last):\n  File \"shop.py\", line 3, in <module>\nValueError: bad";
    assert_eq!(classified(trace).category, Category::Troubleshooting);
    let long = format!("help me configure Azure DNS records\n{}", "lorem ipsum dolor \n".repeat(50_000));
    assert_eq!(classified(&long).domain, Domain::Infra);
}

#[test]
fn parts_that_come_after_each_other_make_a_chain() {
    let query =
        "First export the users table to CSV, then analyse it for churn, and finally write a summary of it";
    let understood = classified(query);
    assert_eq!(understood.strategy, Strategy::Chain, "{understood:?}");
    assert_eq!(
        understood.parts,
        [
            "First export the users table to CSV",
            "then analyse it for churn",
            "and finally write a summary of it"
        ]
    );
    let numbered =
        classified("Please:\n1. Dump the database\n2. Restore it on staging\n3. Run the load tests");
    assert_eq!(numbered.parts, ["Dump the database", "Restore it on staging", "Run the load tests"]);
    assert!(classified("What happens then?").parts.is_empty());
}

#[test]
fn what_is_said_beside_a_request_decides() {
    let context = Context { domain: Some(Domain::Web), ..Context::default() };
    assert_eq!(rules().classify("make it faster", &context).domain, Domain::Web);
    let context = Context { more: vec!["our Postgres database".to_owned()], ..Context::default() };
    assert_eq!(rules().classify("make it faster", &context).domain, Domain::Data);
    assert_eq!(classified("make it faster").domain, Domain::General);
}

#[test]
fn agents_are_found_by_what_they_say_of_themselves() {
    let none = Past::default();
    let agents = [
        ("dns_specialist", "Zones, records and mail authentication", none),
        ("azure_architect", "Designs what runs on Azure", none),
        ("falconer", "Trains falcons and other birds of prey", none),
    ];
    assert_eq!(ranked(&agents, "help me configure Azure DNS records").first().unwrap(), "dns_specialist");
    // No rule knows of birds.
    assert_eq!(ranked(&agents, "my falcon does not come back"), ["falconer"]);
    assert_eq!(ranked(&agents, "bake a chocolate cake"), [""; 0]);
    assert_eq!(ranked(&agents, "?!"), [""; 0]);
}

#[test]
fn of_agents_that_fit_alike_the_one_that_succeeds_comes_first() {
    let alike = "Writes SQL for Postgres databases";
    let of = |succeeded, failed| Past { succeeded, failed };
    let query = "write a SQL query for our database";
    assert_eq!(ranked(&[("anna", alike, of(0, 0)), ("bert", alike, of(0, 0))], query), ["anna", "bert"]);
    assert_eq!(ranked(&[("anna", alike, of(0, 9)), ("bert", alike, of(9, 0))], query), ["bert", "anna"]);
    // However often it fails, who is for something else does not come before it.
    let other = ("cook", "Cooks soups and stews", of(1_000, 0));
    assert_eq!(ranked(&[("anna", alike, of(0, 1_000)), other], query), ["anna"]);
}

#[test]
fn rules_of_somebodys_own_add_to_what_is_built_in() {
    let own = "[domains.security]\nstrong = [\"frobnicator\"]\n[domains.infra]\ndrop = [\"dns\"]\n[strategies]\nchain = 1\n";
    let rules = Rules::with(own, "own.toml").unwrap();
    let of = |query: &str| rules.classify(query, &Context::default()).domain;
    assert_eq!(of("look at the frobnicator"), Domain::Security);
    assert_eq!(classified("look at the frobnicator").domain, Domain::General);
    assert_eq!((of("what about dns"), of("what about a vlan")), (Domain::General, Domain::Infra));
}

#[test]
fn what_is_wrong_with_rules_and_cases_is_told_with_its_line() {
    for (text, line) in [
        ("[domains.infra]\nstrong = [\"a\"]\n[domains.infrra]\nstrong = []\n", 3),
        ("[domains.infra]\nstrong = \"a\"\n", 2),
        ("[domains.infra]\n\nstong = [\"a\"]\n", 3),
        ("[strategies]\nchain = 11\n", 2),
        // Of what stands in a list the place is that of the list.
        ("[domains.infra]\n\nwords = [\"a\",\n  \"  \"]\n", 3),
        ("[domains.infra\n", 1),
        ("[indicators.luck]\none = [\"x\"]\n", 1),
    ] {
        let problem = Rules::with(text, "own.toml").unwrap_err();
        let at = problem.at.clone().unwrap();
        assert_eq!(
            (problem.code, at.line, at.file.as_str()),
            (Code::BadRules, line, "own.toml"),
            "{problem}"
        );
    }
    let good = "{\"query\": \"a\", \"domain\": \"web\"}\n\n";
    for (text, line) in [
        (format!("{good}{{\"query\": \"b\"}}"), 3),
        (format!("{good}{{\"query\": \"b\", \"domain\": \"wep\"}}"), 3),
        (format!("{good}nonsense"), 3),
        (format!("{good}{{\"domain\": \"web\"}}"), 3),
        ("{\"query\": \" \", \"domain\": \"web\"}".to_owned(), 1),
        ("{\"query\": \"a\", \"complexity\": [7, 5]}".to_owned(), 1),
        (String::new(), 1),
    ] {
        let problem = cases::read(&text, "cases.jsonl").unwrap_err();
        assert_eq!((problem.code, problem.at.clone().unwrap().line), (Code::BadCases, line), "{problem}");
    }
}

proptest! {
    #[test]
    fn whatever_somebody_asks_it_is_understood_the_same_twice(query in "\\PC{0,200}", lines in "[a-z0-9{}();.?!\n `-]{0,200}") {
        let rules = rules();
        for query in [&query, &lines] {
            let understood = rules.classify(query, &Context::default());
            prop_assert!((1..=10).contains(&understood.complexity));
            prop_assert!(understood.entities.len() <= ENTITIES_MAX);
            prop_assert_eq!(&understood, &rules.classify(query, &Context::default()));
        }
    }
}
