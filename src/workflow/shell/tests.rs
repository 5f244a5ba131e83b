mod fuzz;
mod realistic;

use std::process::Command;

use super::*;
use crate::workflow::template::Node;

fn shell(command: &str) -> String {
    let output = Command::new("sh").arg("-c").arg(command).output().unwrap();
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_quoted_value_reaches_a_program_as_it_is() {
    for text in [
        "plain",
        "",
        "two words",
        "it's",
        "''",
        "\"x\"",
        "$HOME",
        "`id`",
        "$(id)",
        "a\nb\n",
        "\\",
        "\\'",
        "*",
        "~",
        "!x",
        "#x",
        "; rm -rf /",
        "-n",
        "{a,b}",
        "ä ö",
        "\t",
        "2",
        "if",
        "%s",
    ] {
        let word = quoted(&serde_json::to_string(text).unwrap(), WordPosition::Words).unwrap();
        assert_eq!(shell(&format!("printf '%s.' {word}")), format!("{text}."), "{word}");
    }
}

#[test]
fn a_list_becomes_a_word_for_each_item() {
    let words = quoted(r#"["a b","it's",3,null,{"k":[1]},[]]"#, WordPosition::Words).unwrap();
    assert_eq!(shell(&format!("printf '<%s>' {words}")), r#"<a b><it's><3><null><{"k":[1]}><[]>"#);
    assert_eq!(quoted("[]", WordPosition::Words).unwrap(), "");
    assert_eq!(quoted("[]", WordPosition::Part).unwrap(), "''");
    assert_eq!(quoted("[1]", WordPosition::One), Err(TooManyWords));
}

#[test]
fn a_number_does_not_become_a_file_descriptor() {
    let two = quoted("2", WordPosition::Words).unwrap();
    assert_eq!(shell(&format!("echo {two}>&1")), "2\n");
}

fn pieces(command: &str) -> Vec<Piece> {
    match Node::text(command).unwrap() {
        Node::Text { pieces, .. } => pieces,
        _ => Vec::new(),
    }
}

fn found(command: &str) -> Vec<usize> {
    misplaced(command, &pieces(command)).into_iter().map(|wrong| wrong.at).collect()
}

/// Why the first value that is refused is refused.
fn refusal(command: &str) -> Option<String> {
    places(&pieces(command)).into_iter().find_map(Result::err)
}

#[test]
fn a_value_where_its_quotes_do_not_protect_it_is_found() {
    for command in [
        "echo '{{ x }}'",
        "echo \"{{ x }}\"",
        "echo \"a\n{{ x }}\"",
        "echo `ls {{ x }}`",
        "echo \\{{ x }}",
        "echo a # {{ x }}",
        "# it's\necho '{{ x }}'",
        "echo \"${y:-{{ x }}}\"",
        "cat <<EOF\n{{ x }}\nEOF\n",
        "cat <<-'EOF'\n\tEO\n{{ x }}\n\tEOF\n",
        "cat <<A <<B\nx\nA\n{{ x }}\nB\n",
        "cat <<{{ x }}",
        "echo $(( {{ x }} + 1 ))",
        "echo \"$(( (1) + {{ x }} ))\"",
        "echo \"$(echo '{{ x }}')\"",
        "echo 'it'\\''s {{ x }}'",
        "echo \"a\" \"b {{ x }}\"",
    ] {
        assert_eq!(found(command).len(), 1, "{command}");
    }
}

#[test]
fn a_value_that_is_a_word_or_part_of_one_is_not() {
    for command in [
        "echo {{ x }}",
        "git tag v{{ x }} 'a' \"b\" # don't",
        "echo 'a'{{ x }}\"b\"",
        "echo \"$(ls {{ x }})\" {{ x }}",
        "echo $(ls \"$(pwd)\" {{ x }})",
        "(cd {{ x }}; ls)",
        "echo a#b{{ x }}",
        "echo ${#y} {{ x }} ${y:-{{ x }}}",
        "echo \\'{{ x }}",
        "echo \\\\{{ x }}",
        "cat <<EOF\nit's\nEOF\necho {{ x }}",
        "cat <<<a {{ x }}",
        "# don't\necho {{ x }}",
        "echo '{{ x | raw }}'",
        "echo $((1 << 2)) {{ x }}\necho {{ x }}",
        "echo $(( (1 << (2)) + {{ x | raw }} ))\necho {{ x }}",
        "echo $(( $(wc -l {{ x }}) + 1 ))",
        "((a)); echo {{ x }}",
        "x={{ x }} y; [ {{ x }} = 1 ] && z",
    ] {
        assert_eq!(found(command), [0_usize; 0], "{command}");
    }
}

/// Commands whose value is refused, and a part of the reason.
const READ_AGAIN: &[(&str, &str)] = &[
    ("cat <<'E F'\nit's {{ x }}\nE F\n", "a here-document whose end is no plain word"),
    ("set -- {{ x }}; $1", "`$@`"),
    ("f() { $1; }; f {{ x }}", "`$@`"),
    ("sh -c '$1' sh {{ x }}", "`$@`"),
    ("y={{ x }}; let z=y", "`$y`"),
    ("set -- abc; y={{ x }}; echo ${1:$y}", "`$y`"),
    ("script -qec 'deploy '{{ x }} /dev/null", "`script` reads it again"),
    ("su -lc 'deploy '{{ x }} ada", "`su` reads it again"),
    ("su --command={{ x }} ada", "`su` reads it again"),
    ("su -c{{ x }} ada", "`su` reads it again"),
    ("sudo watch {{ x }}", "`watch` reads it again"),
    ("timeout 5 watch {{ x }}", "`watch` reads it again"),
    ("/usr/bin/watch {{ x }}", "watch` reads it again"),
    ("ls | xargs parallel {{ x }}", "`parallel` reads it again"),
    ("find . -exec ssh host {{ x }} \\;", "`the shell of the host` reads it again"),
    ("cat <<\"A B\"\nsay \"{{ x }}\"\nA B\n", "a here-document whose end is no plain word"),
    ("cat <<E$x\n'\nE$x\necho {{ x }}", "a here-document whose end is no plain word"),
    ("cat <<E\na\\\nE\necho {{ x }}\n'\nE\n", "a here-document with an expansion"),
    ("cat <<E\n$(\nE\n)\necho {{ x }}", "a here-document with an expansion"),
    ("cat <<E \"\n{{ x }}\nE\n\"", "a line that ends in a word while a here-document is to come"),
    ("echo building \\\n# target: {{ x }}\n", "in a comment"),
    ("echo a\\\n# {{ x }}", "a line that is continued in the middle of a word"),
    ("echo hi;# {{ x }}", "in a comment"),
    ("echo hi | grep ${PRE_{{ x }}}", "`${ … }` with more than a name and an operator in it"),
    ("echo \"${y:-{{ x }}}\"", "in `${ … }`"),
    ("echo ${y#{{ x }}}", "in `${ … }`"),
    ("echo \"${y:-'}\" {{ x }}", "`${ … }` with quotes"),
    ("echo ${y@P} {{ x }}", "`${ … }` with more than"),
    ("echo $'it\\'s' {{ x }}", "a `$` before what is no name"),
    ("echo ${{ x }}", "a `$` before what is no name"),
    ("echo $\"a\" {{ x }}", "a `$` before what is no name"),
    ("echo $[1] {{ x }}", "a `$` before what is no name"),
    ("echo a\r# {{ x }}", "a control character"),
    ("echo a\u{a0}# {{ x }}", "a control character"),
    ("echo a \0 {{ x }}", "a zero byte"),
    ("echo `echo \\`{{ x }}\\``", "backquotes with quotes"),
    ("case a in {{ x }}) echo b;; esac", "in a pattern of `case`"),
    ("echo $(case a in a) echo;; esac) {{ x }}", "a `case` in `$( … )`"),
    ("echo $(# it's\n) {{ x }}", "a comment in `$( … )`"),
    ("echo $(cat <<E\n)\nE\n) {{ x }}", "a here-document in `$( … )`"),
    ("[[ {{ x }} -eq 1 ]]", "`[[`"),
    ("[[ a =~ b ]] && echo {{ x }}", "`[[`"),
    ("echo <(ls {{ x }})", "`<( … )`"),
    ("make &> log {{ x }}", "`&>`"),
    ("make |& tee {{ x }}", "`|&`"),
    ("echo {a,{{ x }}}", "in a word with braces"),
    ("echo @({{ x }})", "a parenthesis in a command"),
    ("a=({{ x }})", "an array"),
    ("a[{{ x }}]=1", "an element of an array"),
    ("f{{ x }}() { :; }", "a parenthesis in a command"),
    ("echo hi 1>&{{ x }}", "a descriptor that is no number"),
    ("10>log {{ x }}", "a descriptor of several digits"),
    ("((a<<2))\necho {{ x }}\n2\n", "`((`"),
    ("{{ x }} {{ y }}", "where the name of a command stands"),
    ("x=1 {{ x }} a", "where the name of a command stands"),
    ("{ev,{{ x }}/}al {{ y }}", "where the name of a command stands"),
    ("eval {{ x }}", "where `eval` reads it again"),
    ("eval \"$(echo {{ x }})\"", "where `eval` reads it again"),
    ("command -- eval echo {{ x }}", "where `eval` reads it again"),
    ("'ev'al echo {{ x }}", "where `eval` reads it again"),
    ("x={{ x }}; eval \"echo $x\"", "where `$x` gets it, which the command has read again"),
    ("y={{ x }}; x=$y\neval 'eval \"echo $x\"'", "where `$x` gets it"),
    ("x={{ x }}; [[ $x -eq 1 ]]", "may be read again in or behind `[[`"),
    ("sh -c {{ x }}", "where `sh` reads it again"),
    ("bash -euc \"echo $(echo {{ x }})\"", "where `bash` reads it again"),
    ("find . -exec /bin/sh -c {{ x }} \\;", "where `/bin/sh` reads it again"),
    ("docker exec app sh -c {{ x }}", "where `sh` reads it again"),
    ("sh -c 'eval \"$1\"' sh {{ x }}", "where `$@` gets it"),
    ("find {{ x }} -exec sh -c 'echo {}' \\;", "where the file name for `{}` gets it"),
    ("sh {{ x }} {{ y }}", "where a shell may read it as an option"),
    ("sh -{{ x }} {{ y }}", "where a shell may read it as an option"),
    ("su - app -c {{ x }}", "where `su` reads it again"),
    ("echo {{ x }} | sh", "where what is printed for a shell gets it"),
    ("sh <<< {{ x }}", "where `a shell` reads it again"),
    ("x={{ x }}\nsh <<E\necho $x\nE\n", "where `$x` gets it"),
    ("ssh -p 22 host ls {{ x }}", "where `the shell of the host` reads it again"),
    ("ssh -p{{ x }} host {{ y }}", "where `the shell of the host` reads it again"),
    ("trap {{ x }} EXIT", "where `trap` reads it again"),
    ("x={{ x }}; trap \"rm $x\" EXIT", "where `$x` gets it"),
    ("alias p={{ x }}", "`alias`"),
    ("f() { eval \"$1\"; }; f {{ x }}", "where `$@` gets it"),
    ("x={{ x }}; echo $((x + 1))", "where `$x` gets it"),
    ("x=$(echo {{ x }}); echo $((x + 1))", "where `$x` gets it"),
    ("for i in {{ x }}; do : $((i)); done", "where `$i` gets it"),
    ("echo {{ x }} | while read -r n; do : $((n)); done", "where `$n` gets it"),
    ("echo $(( $(echo {{ x }}) ))", "in arithmetic"),
    ("x={{ x }}; echo ${y:x}", "where `$x` gets it"),
    ("x={{ x }}; echo ${!x}", "where `$x` gets it"),
    ("let {{ x }}", "where `let` reads it again"),
    ("unset {{ x }}", "where `unset` reads it again"),
    ("printf {{ x }} {{ y }}", "where `printf` reads it again"),
    ("printf -v {{ x }} a", "where `printf` reads it again"),
    ("[ -v {{ x }} ]", "in a test of several parts"),
    ("test {{ x }} {{ y }}", "in a test of several parts"),
    ("x={{ x }}; [ $x ]", "where `$x` gets it"),
    ("declare {{ x }}", "where `declare` reads it again"),
    ("declare -i x={{ x }}", "an option of `declare`"),
    ("RANDOM={{ x }}", "in `RANDOM`, which the shell itself reads"),
    ("PS4={{ x }}; set -x; :", "in `PS4`, which the shell itself reads"),
    ("set {{ x }}", "where `set` reads it again"),
    ("x={{ x }}; $x", "where `$x` gets it"),
    (". {{ x }}", "where a file of commands is named"),
];

#[test]
fn a_value_that_a_shell_would_read_again_is_refused_with_the_reason() {
    // All of these were accepted, and in each a value could become a command: in some for dash,
    // in some for bash.
    for (command, why) in READ_AGAIN {
        let refusal = refusal(command).unwrap_or_else(|| panic!("accepted: {command}"));
        assert!(refusal.contains(why), "{command}: {refusal}");
    }
}

/// The assignment was pointed at, which is fine: what is wrong stands elsewhere.
#[test]
fn what_is_read_again_is_pointed_at_where_it_is_named() {
    for command in [
        "x={{ x }}\necho $x\neval \"echo $<x\"",
        "xx=1 x={{ x }}; echo ä{{ y }} $((y + <x))",
        "y={{ x }}; x=$y\neval 'eval \"echo $<x\"'",
        "x={{ x }}; echo $x; [ $<x ]",
        "x={{ x }}\nsh <<E\necho x\necho $<x\nE\n",
        "for i in {{ x }}; do : $((<i)); done",
        "x={{ {'a': '}}'}['a'] }}; echo ${y:<x}",
        "x={{ x }}; $<x",
    ] {
        let (before, _) = command.split_once('<').filter(|_| !command.contains("<<E")).unwrap_or_else(|| {
            let at = command.rfind('<').unwrap();
            (&command[..at], "")
        });
        let command = format!("{before}{}", &command[before.len() + 1..]);
        let wrong = misplaced(&command, &pieces(&command));
        let named: Vec<_> =
            wrong.iter().filter(|wrong| wrong.at < before.len()).map(|wrong| wrong.named_at).collect();
        assert_eq!(named.first(), Some(&Some(before.len())), "{command}: {wrong:?}");
    }
    for command in ["echo {{ x }} | sh", "eval {{ x }}", "x={{ x }}; [[ $x -eq 1 ]]"] {
        assert_eq!(misplaced(command, &pieces(command))[0].named_at, None, "{command}");
    }
}

#[test]
fn a_list_stands_as_words_where_words_can_stand() {
    for (command, expected) in [
        ("rm {{ x }}", WordPosition::Words),
        (" {{ x }} \n", WordPosition::Words),
        ("rm a{{ x }}", WordPosition::Part),
        ("rm {{ x }}#b", WordPosition::Part),
        ("for f in {{ x }}; do :; done", WordPosition::Words),
        ("y={{ x }} make", WordPosition::One),
        ("make > {{ x }}", WordPosition::One),
        ("{{ x }}/bin/tool", WordPosition::One),
        ("[ -f {{ x }} ]", WordPosition::One),
        ("ssh {{ x }} uptime", WordPosition::One),
        ("case {{ x }} in a) :;; esac", WordPosition::One),
        ("export Y={{ x }}", WordPosition::One),
    ] {
        assert_eq!(places(&pieces(command)), [Ok(expected)], "{command}");
    }
}

#[test]
fn an_empty_list_makes_no_comment_of_what_follows() {
    // `echo {{ x }}#b {{ y }}` was `echo #b …`: a comment, which a line break in the other value ended.
    assert_eq!(shell(&format!("printf '<%s>' {}#b a", quoted("[]", WordPosition::Part).unwrap())), "<#b><a>");
}

#[test]
fn commands_nested_without_end_are_not_understood() {
    for (open, count) in
        [("(", 100_000), ("$(", 100_000), ("echo \"$(", 100_000), ("${x:-", 100_000), ("! ", 100_000)]
    {
        let command = format!("{}{{{{ x }}}}", open.repeat(count));
        assert!(refusal(&command).is_some(), "{open}");
    }
}
