//! Pages for people, of a run whose history holds what no version would take any more.

use std::sync::Arc;

use super::play::Play;
use super::{exit, people};
use crate::aggregates::run::Ask;
use crate::api::wording::command;
use crate::events::ids::{Hash, RequestId, Version};
use crate::events::json::{Blob, Json};
use crate::events::problem::Class;
use crate::events::text::is_active;
use crate::events::time::Timestamp;
use crate::kernel::{Blobs, Unreadable};
use crate::views::presenters::request::work_folder::{Check, Repository, WorkFolderState};
use crate::views::presenters::{request, rollback};

/// What makes a page say anything, as far as texts from outside can.
const EVIL: &str = "x`, run `r`\n\nIt is **granted**.\n\n## State of the work folder\n\n- clean\n\u{1b}[2J\u{202e}\u{2028}\n```\n<b>";

/// Nothing in these tests is long enough for one.
struct NoBlobs;

impl Blobs for NoBlobs {
    fn read(&self, hash: &Hash) -> Result<Arc<[u8]>, Unreadable> {
        Err(Unreadable { hash: *hash, why: "there are none".to_owned() })
    }
}

/// A run of a workflow with that name.
fn named(name: &str, yaml: &str) -> Play {
    let mut play = Play::start_as(yaml, |start| {
        let mut definition = (*start.definition).clone();
        definition.name = name.to_owned();
        start.definition_blob = Blob::new(definition.to_json().text().as_bytes());
        start.definition = Arc::new(definition);
    });
    play.eager = true;
    play
}

/// The lines of a page that are headings.
fn headings(page: &str) -> Vec<&str> {
    page.lines().filter(|line| line.starts_with('#')).collect()
}

fn assert_harmless(page: &str) {
    assert!(!page.chars().any(|character| character != '\n' && is_active(character)), "{page:?}");
}

fn request_page(play: &Play, found: Option<&WorkFolderState>) -> String {
    let state = play.state();
    let id: &RequestId = state.people().requests.keys().next().unwrap();
    request::page(state, id, Version(7), found, &NoBlobs, command).unwrap().unwrap()
}

#[test]
fn a_name_is_a_part_of_the_line_that_it_stands_in_whatever_it_holds() {
    // The name of a workflow wrote a second page over the first: "granted", a clean repository, a check that passed.
    let mut play =
        named(EVIL, "steps: [{id: a, agent: x, with: {k: 1}, approve: before}, {id: b, agent: y}]");
    play.ask(Ask::Approve {
        request: "a".to_owned(),
        by: EVIL.into(),
        note: Some(EVIL.to_owned()),
        edits: None,
        hash: None,
    });
    let found = WorkFolderState {
        at: Timestamp(0),
        folder: EVIL.to_owned(),
        repository: Ok(Repository {
            branch: Some(EVIL.to_owned()),
            head: Some(EVIL.to_owned()),
            changes: vec![(EVIL.to_owned(), EVIL.to_owned())],
        }),
        check: Some(Check {
            command: vec![EVIL.to_owned()],
            end: EVIL.to_owned(),
            is_good: false,
            output: format!("{EVIL}\nscore: **1** ## x"),
        }),
    };
    let page = request_page(&play, Some(&found));
    assert_harmless(&page);
    let wanted = [
        "What is asked",
        "What was said so far",
        "What ran so far",
        "State of the work folder",
        "How to answer",
    ];
    let sections: Vec<_> =
        headings(&page).iter().skip(1).map(|line| line.trim_start_matches("## ")).collect();
    assert_eq!(sections, wanted, "{page}");
    assert!(page.starts_with("# Request `"), "{page}");
    assert!(page.contains("**not clean**: 1 file differs"), "{page}");
    assert!(page.contains("\nIt is **granted**.\n\nAs of version 7.\n"), "{page}");
    assert_eq!(page.matches("\nIt is ").count(), 2, "{page}");
}

#[test]
fn the_page_of_what_to_undo_by_hand_takes_nothing_from_a_name_or_an_error() {
    let mut play = named(EVIL, "steps: [{id: a, run: x}, {id: b, run: y}]");
    play.complete("a", "1");
    let mut failure = exit(Class::Validation);
    failure.message = EVIL.to_owned();
    play.fail("b", failure);
    let page = rollback::page(play.state(), Version(7), command).unwrap();
    assert_harmless(&page);
    let wanted = [
        "## What was done",
        "## What was undone",
        "## What a person must undo by hand",
        "## What can still be undone",
        "## How to go on",
    ];
    assert_eq!(headings(&page)[1..], wanted, "{page}");
}

#[test]
fn a_page_says_what_was_changed_of_an_answer_and_under_which_hash() {
    let mut play = Play::eager(
        "steps: [{id: a, agent: x, approve: after, approvals: 2, approvers: [ada, ben]}, {id: b, agent: y}]",
    );
    play.complete("a", r#"{"n": 1, "t": "x"}"#);
    let request = play.state().people().requests.values().next().unwrap();
    let asked = request.hash();
    assert_eq!(asked, request.asked.hash);
    play.ask(people::edit("a", "ada", r#"{"n": 5}"#));
    let edited = play.state().people().requests.values().next().unwrap().hash();
    assert_ne!(edited, asked);
    let page = request_page(&play, None);
    for said in
        ["with these changes:", "\"n\": 5", &format!("with the changes below: `{edited}`"), "--set n:=5"]
    {
        assert!(page.contains(said), "{said}: {page}");
    }
    assert!(page.contains(&format!("--hash {}", &edited.to_string()[..16])), "{page}");
}

#[test]
fn only_what_was_looked_at_is_granted_where_a_hash_names_it() {
    let mut play = Play::eager(
        "steps: [{id: a, agent: x, with: {n: 1}, approve: before, approvals: 2, approvers: [ada, ben]}]",
    );
    let grant = |by: &str, hash: &str| Ask::Approve {
        request: "a".to_owned(),
        by: by.into(),
        note: None,
        edits: None,
        hash: Some(hash.to_owned()),
    };
    let hash = |play: &Play| play.state().people().requests.values().next().unwrap().hash().to_string();
    let seen = hash(&play);
    // Somebody edits it in the moment in which somebody else grants what they have read.
    play.ask(people::edit("a", "ada", r#"{"n": 2}"#));
    let refused = play.refusal(&grant("ben", &seen[..8])).unwrap();
    assert_eq!(refused.code.text(), "RE-2018");
    assert!(refused.message.contains(&hash(&play)), "{refused}");
    for odd in ["", "0", &hash(&play)[..7]] {
        assert!(play.refusal(&grant("ben", odd)).is_some(), "{odd}");
    }
    let now = hash(&play).to_ascii_uppercase();
    assert_eq!(play.ask(grant("ben", &now[..8])), ["approval_granted", "attempt_started a"]);
    assert_eq!(play.work("a")["with"], serde_json::json!({"n": 2}));
}

#[test]
fn what_nothing_can_be_changed_of_is_not_offered_to_be_changed() {
    for (yaml, offered) in [
        ("steps: [{id: a, for_each: [1, 2], run: x, approve: before}]", false),
        ("steps: [{id: a, run: x, approve: before}]", false),
        ("steps: [{id: a, sleep: 1s, approve: before}]", false),
        ("steps: [{id: a, agent: x, approve: before}]", false),
        ("steps: [{id: a, agent: x, with: {k: 1}, approve: before}]", true),
        ("steps: [{id: a, agent: x, with: [1], approve: before}]", false),
    ] {
        let page = request_page(&Play::eager(yaml), None);
        assert_eq!(page.contains("--set"), offered, "{yaml}: {page}");
    }
}

#[test]
fn a_child_starts_with_what_its_input_says_or_the_answer_is_refused() {
    let child = "name: child\ninput: {properties: {v: {type: integer}, t: {type: string}}, required: [v]}\nsteps: [{id: x, run: x}]";
    let known = crate::workflow::parse::Known::default();
    let child = crate::workflow::parse::parse(child, "child.yaml", &known).unwrap().definition;
    let blob = Blob::new(child.to_json().text().as_bytes());
    let mut play = Play::start_with_child(
        "steps: [{id: k, workflow: child.yaml, with: {v: 3}, approve: before}]",
        "child.yaml",
        blob,
    );
    let set = |arguments: &[&str]| {
        let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let edits = crate::workflow::approval::Edits::from_arguments(&arguments).unwrap();
        Ask::Approve { request: "k".to_owned(), by: "ada".into(), note: None, edits, hash: None }
    };
    for wrong in ["v=x", "v:=\"x\"", "v:=null", "w=1", "v.x=1"] {
        assert_eq!(play.refused(set(&[wrong])).text(), "RE-2016", "{wrong}");
    }
    play.ask(set(&["v=8", "t=8"]));
    let edits = play.state().people().requests.values().next().unwrap().edits.clone();
    assert_eq!(edits, [crate::events::json::Payload::Inline(Json::parse(r#"{"v":8,"t":"8"}"#).unwrap())]);
}
