//! Reading, writing, finding and searching.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;

use super::*;

#[tokio::test]
async fn lines_are_read_from_where_they_are_wanted() {
    let bench = Bench::new();
    bench.write("a.txt", "one\ntwo\nthree");
    let all = bench.good("read", json!({"path": "a.txt"})).await;
    assert_eq!(
        all,
        json!({"path": "a.txt", "content": "one\ntwo\nthree", "first": 1, "last": 3, "lines": 3})
    );
    let one = bench.good("read", json!({"path": "./a.txt", "offset": 2, "limit": 1})).await;
    assert_eq!((&one["content"], &one["last"]), (&json!("two\n"), &json!(2)));
    assert!(one["cut"].as_str().unwrap().contains("`offset` 3"), "{one}");
    let past = bench.good("read", json!({"path": "a.txt", "offset": 9})).await;
    assert_eq!((&past["content"], &past["lines"], past.get("last")), (&json!(""), &json!(3), None));
    bench.write("empty", "");
    assert_eq!(bench.good("read", json!({"path": "empty"})).await["lines"], 0);
    let whole = bench.work("a.txt").display().to_string();
    assert_eq!(bench.good("read", json!({"path": whole})).await["last"], 3, "absolute, and inside");
}

#[tokio::test]
async fn what_is_no_text_or_too_long_is_said_to_be() {
    let bench = Bench::new();
    bench.write("image", b"\x89PNG\0\0");
    assert_eq!(
        bench.good("read", json!({"path": "image"})).await,
        json!({"path": "image", "binary": true, "bytes": 6})
    );
    bench.write("latin1", b"caf\xe9\n");
    let lossy = bench.good("read", json!({"path": "latin1"})).await;
    assert!(
        lossy["content"] == "caf\u{fffd}\n" && lossy["cut"].as_str().unwrap().contains("UTF-8"),
        "{lossy}"
    );
    bench.write("long", format!("{}\nend\n", "x".repeat(3_000_000)));
    let long = bench.good("read", json!({"path": "long"})).await;
    let content = long["content"].as_str().unwrap();
    assert!(content.len() < 5_000 && content.ends_with("…\nend\n"), "{}", content.len());
    assert!(long["cut"].as_str().unwrap().starts_with("1 lines are cut"), "{}", long["cut"]);
    // Gigabytes of nothing: a file with a hole. All of it is one line of zeros.
    let huge = std::fs::File::create(bench.work("huge")).unwrap();
    huge.set_len(1 << 40).unwrap();
    assert_eq!(bench.good("read", json!({"path": "huge"})).await["binary"], true);
    let many: String = (0..100_000).map(|n| format!("line {n}\n")).collect();
    bench.write("many", many);
    let first = bench.good("read", json!({"path": "many"})).await;
    assert_eq!(first["last"], 2_000);
    let all = bench.good("read", json!({"path": "many", "limit": 100_000})).await;
    assert!(all["content"].as_str().unwrap().len() < 120_000 && all["cut"].is_string());
}

#[tokio::test]
async fn files_are_written_whole_with_the_folders_that_are_missing() {
    let bench = Bench::new();
    let made = bench.good("write", json!({"path": "a/b/c.sh", "content": "one"})).await;
    assert_eq!(made, json!({"path": "a/b/c.sh", "bytes": 3, "made": true}));
    let file = bench.work("a/b/c.sh");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o750)).unwrap();
    let other = bench.work("other");
    std::fs::hard_link(&file, &other).unwrap();
    assert_eq!(bench.good("write", json!({"path": "a/b/c.sh", "content": "two"})).await["made"], false);
    assert_eq!((bench.text("a/b/c.sh").as_str(), bench.text("other").as_str()), ("two", "one"));
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o750);
    assert_eq!(std::fs::read_dir(bench.work("a/b")).unwrap().count(), 1, "nothing is left beside it");
    for path in ["a", ".", "a/b/c.sh/d"] {
        let failure = bench.refused("write", json!({"path": path, "content": ""})).await;
        assert_eq!(failure.code, Code::ToolNotThere, "{path}: {failure}");
    }
    let large = "x".repeat(9 * 1024 * 1024);
    assert_eq!(bench.refused("write", json!({"path": "l", "content": large})).await.code, Code::ToolTooMuch);
}

#[tokio::test]
async fn a_text_is_replaced_where_it_stands_once_or_everywhere() {
    let bench = Bench::new();
    bench.write("a", "x = 1\ny = 1\n");
    let failure = bench.refused("edit", json!({"path": "a", "old": "= 1", "new": "= 2"})).await;
    assert_eq!(failure.code, Code::ToolNoMatch);
    assert!(failure.message.contains("2 times"), "{failure}");
    let edited = bench.good("edit", json!({"path": "a", "old": "y = 1", "new": "y = 2"})).await;
    assert_eq!(edited, json!({"path": "a", "replaced": 1, "line": 2}));
    bench.good("edit", json!({"path": "a", "old": " = ", "new": "=", "all": true})).await;
    assert_eq!(bench.text("a"), "x=1\ny=2\n");
    let failure = bench.refused("edit", json!({"path": "a", "old": "z", "new": ""})).await;
    assert_eq!(failure.code, Code::ToolNoMatch);
    bench.write("dos", "a\r\nb\r\n");
    let failure = bench.refused("edit", json!({"path": "dos", "old": "a\nb", "new": "c"})).await;
    assert!(failure.message.contains("CR LF"), "{failure}");
    bench.write("latin1", b"caf\xe9");
    assert_eq!(
        bench.refused("edit", json!({"path": "latin1", "old": "c", "new": "d"})).await.code,
        Code::ToolNotThere
    );
    assert_eq!(
        bench.refused("edit", json!({"path": "a", "old": "x", "new": "x"})).await.code,
        Code::ToolInput
    );
}

#[tokio::test]
async fn what_a_crash_left_aside_is_taken_away_by_the_next_try() {
    let bench = Bench::new();
    let task = bench.task("write", &json!({"path": "a", "content": "whole"}));
    let hash = crate::events::ids::Hash::of(task.idempotency_key.as_bytes()).to_string();
    bench.write(&format!(".reenact-{}.new", &hash[..16]), "hal");
    bench.make(task).await.unwrap();
    assert_eq!(bench.text("a"), "whole");
    assert_eq!(std::fs::read_dir(bench.work("")).unwrap().count(), 2, "the file and the data folder");
}

#[tokio::test]
async fn a_folder_is_listed_without_what_is_nobodys_business() {
    let bench = Bench::new();
    bench.write("b.txt", "");
    bench.write("a/deep/er.txt", "");
    std::os::unix::fs::symlink("../outside", bench.work("way")).unwrap();
    bench.write(".git/config", "");
    let listed = bench.good("list", json!({})).await;
    assert_eq!(listed["entries"], json!(["a/", "b.txt", "way -> ../outside"]));
    let deep = bench.good("list", json!({"depth": 3, "path": "a"})).await;
    assert_eq!(deep["entries"], json!(["deep/", "deep/er.txt"]));
    let odd = OsStr::from_bytes(b"\xff\xfe.txt");
    std::fs::write(bench.work("a").join(odd), "found me").unwrap();
    let listed = bench.good("list", json!({"path": "a"})).await;
    assert_eq!(listed["entries"], json!(["deep/", "\u{fffd}\u{fffd}.txt"]));
    assert_eq!(bench.good("search", json!({"pattern": "found"})).await["matches"][0]["line"], 1);
    for n in 0..2_100 {
        bench.write(&format!("many/{n:04}"), "");
    }
    let many = bench.good("list", json!({"path": "many"})).await;
    assert_eq!(many["entries"].as_array().unwrap().len(), 2_000);
    assert!(many["cut"].as_str().unwrap().contains("more than 2000"), "{}", many["cut"]);
    assert_eq!(bench.refused("list", json!({"path": "b.txt"})).await.code, Code::ToolNotThere);
}

#[tokio::test]
async fn files_are_found_by_globs_without_what_is_ignored() {
    let bench = Bench::new();
    for path in ["src/a.rs", "src/in/b.rs", "target/c.rs", "src/in/kept.log", "src/in/gone.log"] {
        bench.write(path, "fn needle() {}\n");
    }
    bench.write(".gitignore", "/target\n*.log\n");
    bench.write("src/in/.gitignore", "!kept.log\n");
    let found = |with| async { bench.good("find", with).await["files"].clone() };
    assert_eq!(found(json!({"pattern": "*.rs"})).await, json!(["src/a.rs", "src/in/b.rs"]));
    assert_eq!(found(json!({"pattern": "src/*.rs"})).await, json!(["src/a.rs"]));
    assert_eq!(found(json!({"pattern": "*.log"})).await, json!(["src/in/kept.log"]));
    // What is said above a folder holds in it as well.
    assert_eq!(found(json!({"pattern": "**/*.log", "path": "src/in"})).await, json!(["src/in/kept.log"]));
    assert_eq!(
        found(json!({"pattern": "*.rs", "ignored": true})).await,
        json!(["src/a.rs", "src/in/b.rs", "target/c.rs"])
    );
    assert_eq!(bench.refused("find", json!({"pattern": "[a"})).await.code, Code::ToolInput);
    let lines = bench.good("search", json!({"pattern": r"fn \w+\(", "glob": "*.rs", "path": "src"})).await;
    let first = json!({"file": "src/a.rs", "line": 1, "text": "fn needle() {}"});
    assert_eq!((&lines["matches"][0], lines["matches"].as_array().unwrap().len()), (&first, 2));
}

#[tokio::test]
async fn lines_are_searched_within_bounds() {
    let bench = Bench::new();
    bench.write("a", "Needle\nnone\nneedle\n");
    bench.write("bin", b"needle\0");
    bench.write("wide", format!("{}needle{}", "é".repeat(5_000), "x".repeat(5_000)));
    let found = bench.good("search", json!({"pattern": "needle", "ignore_case": true})).await;
    let lines: Vec<_> = found["matches"].as_array().unwrap().iter().map(|one| one["line"].clone()).collect();
    assert_eq!(lines, [1, 3, 1], "{found}");
    let wide = found["matches"][2]["text"].as_str().unwrap();
    assert!(
        wide.contains("needle") && wide.len() < 600 && wide.starts_with('…') && wide.ends_with('…'),
        "{wide}"
    );
    let one = bench.good("search", json!({"pattern": "(?i)needle", "path": "a", "max": 1})).await;
    assert!(one["matches"].as_array().unwrap().len() == 1 && one["cut"].is_string(), "{one}");
    let failure = bench.refused("search", json!({"pattern": "(a"})).await;
    assert_eq!(failure.code, Code::ToolInput);
    assert_eq!(
        bench.refused("search", json!({"pattern": "x{1000}{1000}{1000}"})).await.code,
        Code::ToolInput
    );
    let huge = std::fs::File::create(bench.work("text")).unwrap();
    std::io::Write::write_all(&mut &huge, &b"needle\n".repeat(3_000_000)).unwrap();
    let found = bench.good("search", json!({"pattern": "needle", "path": "text"})).await;
    assert!(found["cut"].as_str().unwrap().contains("not searched"), "{found}");
}
