//! What a workflow file may hold, and what it comes to, without a run: the schema for editors, pictures, dry runs.

mod dry_run;
mod graph;
mod syntax;

use crate::support::Sandbox;

#[test]
fn the_schema_is_printed_for_people_and_for_programs_and_no_data_folder_is_made() {
    let sandbox = Sandbox::new();
    let people = sandbox.reenact(&["schema"]);
    assert_eq!(people.code(), Some(0), "{people}");
    let read: serde_json::Value = serde_json::from_str(&people.stdout).unwrap();
    assert!(people.stdout.lines().count() > 50);
    let programs = sandbox.reenact(&["schema", "--json"]);
    assert_eq!(programs.stdout.lines().count(), 1);
    assert_eq!(programs.json(), read);
    assert_eq!(read["$defs"]["step"]["properties"]["timeout"]["type"], "string");
    assert!(!sandbox.data().exists());
}
