//! `help`: the same as `--help`, for every verb; with examples that work, and as manual pages.

use std::fs;

use super::script;
use crate::support::Sandbox;

/// Every verb, and every verb in one, as `help` lists them.
fn verbs(sandbox: &Sandbox) -> Vec<Vec<String>> {
    let mut all = vec![Vec::new()];
    let mut at = 0;
    while let Some(above) = all.get(at).cloned() {
        let words: Vec<&str> = ["help"].into_iter().chain(above.iter().map(String::as_str)).collect();
        let help = sandbox.reenact(&words);
        assert_eq!(help.code(), Some(0), "{help}");
        let listed = help.stdout.lines().skip_while(|line| *line != "Commands:").skip(1);
        for name in
            listed.take_while(|line| !line.is_empty()).filter_map(|line| line.split_whitespace().next())
        {
            all.push(above.iter().cloned().chain([name.to_owned()]).collect());
        }
        at += 1;
    }
    assert!(all.len() > 30, "{all:?}");
    all
}

#[test]
fn it_tells_of_each_verb_what_its_option_does() {
    let sandbox = Sandbox::new();
    for verb in verbs(&sandbox) {
        let verb: Vec<&str> = verb.iter().map(String::as_str).collect();
        let by_verb = sandbox.reenact(&[&["help"], &verb[..]].concat());
        let by_option = sandbox.reenact(&[&verb[..], &["--help"]].concat());
        assert_eq!(by_verb.stdout, by_option.stdout, "{verb:?}");
        let json = sandbox.json(0, &[&["help"], &verb[..]].concat());
        assert_eq!(json["verb"], verb.join(" "));
        assert!(json["help"].as_str().unwrap().contains("Usage: "), "{json}");
    }
    assert!(!sandbox.data().exists());
}

#[test]
fn a_verb_that_is_not_there_is_told_with_the_nearest() {
    let sandbox = Sandbox::new();
    for (words, near) in
        [(&["help", "resmue"][..], "`resume`"), (&["help", "rollback", "reslove"], "`resolve`")]
    {
        let error = sandbox.json(2, words)["error"].clone();
        assert_eq!(error["code"], "RE-1001", "{error}");
        assert!(error["hint"].as_str().unwrap().contains(near), "{error}");
    }
}

#[test]
fn every_example_is_a_command_that_is_understood() {
    let sandbox = Sandbox::new();
    let mut seen = 0;
    for verb in verbs(&sandbox) {
        let help = sandbox
            .reenact(&[&verb.iter().map(String::as_str).collect::<Vec<_>>()[..], &["--help"]].concat());
        let examples: Vec<_> = help.stdout.lines().skip_while(|line| *line != "Examples:").skip(1).collect();
        for pair in examples.chunks(2) {
            let [does, command] = pair else { panic!("{help}") };
            assert!(does.starts_with("  # ") && command.len() <= 100, "{does} {command}");
            let project = sandbox.work(&format!("p{seen}"));
            seen += 1;
            let folders = "mkdir -p ~/.config/fish/completions ~/.local/share/bash-completion/completions";
            let begin = format!(
                "{folders}\nreenact init . --template saga >&2\necho > reenact.toml\nreenact run trip.yaml --id first >&2\n"
            );
            fs::create_dir(&project).unwrap();
            let ended = script(&sandbox, &project, &[], &format!("{begin}echo ---- >&2\n{command}"));
            let said = ended.stderr.split_once("----").unwrap().1;
            for misunderstood in ["RE-1001", "RE-1007", "not found", "panicked"] {
                assert!(!said.contains(misunderstood), "{command}: {ended}");
            }
            assert!(ended.code().is_some_and(|code| code < 100), "{command}: {ended}");
        }
    }
    assert!(seen > 40, "{seen} examples");
}

#[test]
fn there_is_a_manual_page_of_each_verb() {
    let sandbox = Sandbox::new();
    let written = sandbox.json(0, &["help", "--man", "share/man1"]);
    let mut pages: Vec<String> = fs::read_dir(sandbox.work("share/man1"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let mut wanted: Vec<String> = verbs(&sandbox)
        .into_iter()
        .map(|verb| ["reenact".to_owned()].into_iter().chain(verb).collect::<Vec<_>>().join("-") + ".1")
        .collect();
    pages.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(pages, wanted);
    assert_eq!(written["files"].as_array().unwrap().len(), wanted.len());
    let page = fs::read_to_string(sandbox.work("share/man1/reenact-rollback.1")).unwrap();
    for part in
        [".TH reenact-rollback 1", ".SH EXAMPLES", "\\-\\-dry\\-run", "reenact rollback first", ".SH OPTIONS"]
    {
        assert!(page.contains(part), "no `{part}`: {page}");
    }
    // Again, as after an upgrade.
    sandbox.json(0, &["help", "--man", "share/man1"]);
    sandbox.write("in-the-way", "");
    assert_eq!(sandbox.json(2, &["help", "--man", "in-the-way"])["error"]["code"], "RE-1121");
    assert!(!sandbox.data().exists());
}
