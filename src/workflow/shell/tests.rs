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
        let word = quoted(&serde_json::to_string(text).unwrap(), Place::Words).unwrap();
        assert_eq!(shell(&format!("printf '%s.' {word}")), format!("{text}."), "{word}");
    }
}

#[test]
fn a_list_becomes_a_word_for_each_item() {
    let words = quoted(r#"["a b","it's",3,null,{"k":[1]},[]]"#, Place::Words).unwrap();
    assert_eq!(shell(&format!("printf '<%s>' {words}")), r#"<a b><it's><3><null><{"k":[1]}><[]>"#);
    assert_eq!(quoted("[]", Place::Words).unwrap(), "");
    assert_eq!(quoted("[]", Place::Part).unwrap(), "''");
    assert_eq!(quoted("[1]", Place::One), Err(TooManyWords));
}

#[test]
fn a_number_does_not_become_a_file_descriptor() {
    let two = quoted("2", Place::Words).unwrap();
    assert_eq!(shell(&format!("echo {two}>&1")), "2\n");
}

fn places(command: &str) -> Vec<usize> {
    match Node::text(command).unwrap() {
        Node::Text { pieces, .. } => misplaced(&pieces).into_iter().map(|(at, _)| at).collect(),
        _ => Vec::new(),
    }
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
        assert_eq!(places(command).len(), 1, "{command}");
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
        assert_eq!(places(command), [0_usize; 0], "{command}");
    }
}
