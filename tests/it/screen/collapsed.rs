//! A fan-out is told in one line, with the items that somebody may want to look at.

use crate::support::{Sandbox, wait_until};

/// 30 items: 2 fail, and one waits until it is tried again.
const MIXED: &str = "name: mixed
steps:
  - id: each
    for_each: '[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29]'
    run: 'case {{ item }} in 7|12) echo broken {{ item }} >&2; exit 65;; *) true;; esac'
    on_error: continue
  - {id: after, run: 'true'}
";

fn steps(text: &str) -> Vec<&str> {
    text.lines().filter(|line| line.starts_with("  ")).collect()
}

#[test]
fn a_fan_out_is_told_in_a_line_with_the_items_that_failed_and_all_shows_each() {
    let sandbox = Sandbox::new();
    sandbox.write("w.yaml", MIXED);
    let ran = sandbox.reenact(&["run", "w.yaml", "--id", "r"]);
    assert_eq!(ran.code(), Some(0), "{ran}");
    for ended in [&ran, &sandbox.reenact(&["status", "r"])] {
        let lines = steps(&ended.stdout);
        assert_eq!(lines.len(), 4, "{ended}");
        assert!(
            lines[0].starts_with("  ✓ each      completed") && lines[0].ends_with("28 ✓  2 ✗"),
            "{ended}"
        );
        assert!(lines[1].starts_with("  ✗ each[7]   failed, tolerated"), "{ended}");
        assert!(
            lines[1].contains("RE-3002: ") && lines[2].starts_with("  ✗ each[12]  failed, tolerated"),
            "{ended}"
        );
        assert!(lines[3].starts_with("  ✓ after     completed"), "{ended}");
    }
    for verb in
        [&["status", "r", "--all"][..], &["resume", "r", "--all"], &["run", "w.yaml", "--id", "s", "--all"]]
    {
        let ended = sandbox.reenact(verb);
        assert_eq!((ended.code(), steps(&ended.stdout).len()), (Some(0), 32), "{ended}");
        assert!(ended.stdout.contains("  ✓ each[29]  completed"), "{ended}");
    }
    // For programs nothing is left out.
    assert_eq!(sandbox.status("r")["steps"].as_array().unwrap().len(), 32);
}

/// An item that is left out because it failed was counted, and nothing said why: nobody could know without reading all.
#[test]
fn an_item_that_is_skipped_because_it_failed_has_a_line_that_says_why() {
    let sandbox = Sandbox::new();
    for left_out in ["on_error: retry_then_skip", "optional: true"] {
        sandbox.write("w.yaml", MIXED.replace("on_error: continue", left_out));
        let ran = sandbox.reenact(&["run", "w.yaml"]);
        assert_eq!(ran.code(), Some(0), "{ran}");
        for ended in [&ran, &sandbox.reenact(&["status"]), &sandbox.reenact(&["resume", "last"])] {
            let lines = steps(&ended.stdout);
            assert_eq!(lines.len(), 4, "{ended}");
            assert!(lines[0].ends_with("28 ✓  2 skipped"), "{ended}");
            assert!(
                lines[1].starts_with("  - each[7]   skipped") && lines[1].ends_with("exit 65: broken 7"),
                "{ended}"
            );
            assert!(
                lines[2].starts_with("  - each[12]  skipped") && lines[2].ends_with("exit 65: broken 12"),
                "{ended}"
            );
        }
    }
}

#[test]
fn of_many_items_that_failed_some_are_shown_and_the_rest_is_counted_with_the_command_that_shows_them() {
    let sandbox = Sandbox::new();
    let items = (0..50).map(|item| item.to_string()).collect::<Vec<_>>().join(",");
    let text = format!(
        "name: bad\nsteps: [{{id: each, for_each: '[{items}]', run: exit 65, on_error: continue}}]\n"
    );
    sandbox.write("w.yaml", text);
    let ran = sandbox.reenact(&["run", "w.yaml", "--id", "r"]);
    assert_eq!(ran.code(), Some(0), "{ran}");
    let failed = ran.stdout.lines().filter(|line| line.starts_with("  ✗ each["));
    assert_eq!(failed.count(), 20, "{ran}");
    assert!(ran.stdout.contains("  50 ✗\n"), "{ran}");
    assert!(ran.stdout.contains("\n    … 30 more of each: reenact status r --all\n"), "{ran}");
    let all = sandbox.reenact(&["status", "r", "--all"]);
    assert_eq!(all.stdout.lines().filter(|line| line.starts_with("  ✗ each[")).count(), 50, "{all}");
}

#[test]
fn what_a_run_failed_with_is_told_once_and_a_retry_can_show_each_step() {
    let sandbox = Sandbox::new();
    let text = "name: bad\nsteps: [{id: each, for_each: '[1, 2, 3]', max_parallel: 1, run: 'echo no >&2; exit 65'}]\n";
    sandbox.write("w.yaml", text);
    let ran = sandbox.reenact(&["run", "w.yaml", "--id", "r"]);
    assert_eq!((ran.code(), ran.stdout.matches("RE-3002").count()), (Some(1), 1), "{ran}");
    assert_eq!(ran.stdout.lines().filter(|line| line.contains(" each[")).count(), 1, "{ran}");
    let retried = sandbox.reenact(&["retry", "r", "--all"]);
    assert_eq!(retried.stdout.lines().filter(|line| line.contains(" each[")).count(), 3, "{retried}");
}

#[test]
fn items_that_are_under_way_have_lines() {
    let sandbox = super::busy();
    let run = sandbox.spawn(&["run", "busy.yaml", "--id", "r"]);
    wait_until("all run", || run.stderr().matches(": started").count() == 16);
    let shown = sandbox.reenact(&["status", "r"]);
    let lines: Vec<_> = shown.stdout.lines().collect();
    assert!(lines[1].starts_with("  ▸ each      running") && lines[1].ends_with("  16 ▸"), "{shown}");
    let items = lines.iter().filter(|line| line.starts_with("  ▸ each["));
    assert_eq!(items.count(), 16, "{shown}");
    sandbox.write("go", "");
    assert_eq!(run.wait().code(), Some(0));
}
