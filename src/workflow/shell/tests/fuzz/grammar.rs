//! Commands that follow from a seed: some as people write them, some as attackers do.

use std::collections::BTreeSet;

use super::attacks::{ATTACKS, HOSTILE, LISTS};
use crate::testing::Dice;

/// The kinds of commands that must be accepted and run, or the test would say nothing.
pub(super) const KINDS: [&str; 27] = [
    "word",
    "list",
    "part",
    "quoted beside",
    "substitution",
    "subshell",
    "group",
    "if",
    "for",
    "case",
    "assignment",
    "here-document",
    "comment",
    "continued",
    "redirection",
    "pipeline",
    "function",
    "test",
    "default",
    "arithmetic",
    "backquotes",
    "parameters",
    "inner shell",
    "export",
    "printf",
    "here-string",
    "soup",
];

/// The pieces of texts that follow no grammar.
const PIECES: &[&str] = &[
    " ",
    " ",
    " ",
    " ",
    " ",
    " ",
    "\n",
    "\n",
    "\n",
    "; ",
    "a",
    "b ",
    "echo ",
    "echo ",
    ": ",
    "'",
    "'",
    "\"",
    "\"",
    "\\",
    "\\\n",
    " \\\n",
    "$",
    "`",
    "(",
    ")",
    " )",
    "$(",
    "$((",
    "))",
    "((",
    "${z:-",
    "${x}",
    "}",
    "{ ",
    "; }",
    "#",
    " #",
    "it's",
    "<<E",
    "<<'E F'",
    "<<-E\n",
    "\nE\n",
    "\tE\n",
    "E",
    "x=",
    "x",
    "$x",
    "\"$x\"",
    "if ",
    "; then ",
    "; fi",
    "case a in ",
    ";;",
    "esac",
    "for x in ",
    "; do ",
    "; done",
    "&",
    "&&",
    "|",
    "> o",
    "2>&1",
    "[ ",
    " ]",
    "= ",
    "!",
    "~",
    "*",
    "/",
    "{a,b}",
    "g() { ",
];

/// A text, the values in it, and the words that its `show N` show.
#[derive(Debug, Default)]
pub(super) struct Made {
    pub(super) source: String,
    pub(super) input: String,
    pub(super) shown: Vec<Vec<String>>,
    pub(super) kinds: BTreeSet<&'static str>,
}

impl Made {
    pub(super) fn of(seed: u64) -> Self {
        let mut maker = Maker { dice: Dice::of(seed), made: Self::default(), values: Vec::new() };
        let mut source = String::new();
        if seed.is_multiple_of(4) {
            source = maker.soup();
        } else if seed % 4 < 3 {
            source = maker.attack();
        } else {
            for _ in 0..=maker.dice.below(2) {
                source += &maker.command(2);
                source += maker.one_of(&["\n", "; ", " && ", "\n\n", " # it's\n", " || "]);
            }
            source += &maker.shows();
        }
        let members: Vec<_> =
            maker.values.iter().enumerate().map(|(n, json)| format!("\"x{n}\":{json}")).collect();
        Self { source, input: format!("{{{}}}", members.join(",")), ..maker.made }
    }
}

struct Maker {
    dice: Dice,
    made: Made,
    values: Vec<String>,
}

impl Maker {
    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.dice.below(all.len())]
    }

    fn kind(&mut self, kind: &'static str) {
        self.made.kinds.insert(kind);
    }

    /// A value as it is written, and the words that it stands for.
    fn any_value(&mut self) -> (String, Vec<String>, bool) {
        let is_list = self.dice.one_in(5);
        let words: Vec<String> = if is_list && self.dice.one_in(3) {
            self.one_of(&LISTS).iter().map(|item| (*item).to_owned()).collect()
        } else {
            let count = if is_list { self.dice.below(3) } else { 1 };
            let all = if self.dice.one_in(2) { &HOSTILE[..] } else { &HOSTILE[..9] };
            (0..count).map(|_| self.one_of(all).to_owned()).collect()
        };
        let json = if is_list { serde_json::to_string(&words) } else { serde_json::to_string(&words[0]) };
        self.values.push(json.unwrap());
        (format!("{{{{ input.x{} }}}}", self.values.len() - 1), words, is_list)
    }

    /// A value as it is written.
    fn value(&mut self) -> String {
        self.any_value().0
    }

    /// A value that is one word, as it is written, and the word.
    fn text(&mut self) -> (String, String) {
        loop {
            let (source, words, is_list) = self.any_value();
            if !is_list {
                return (source, words[0].clone());
            }
        }
    }

    /// A word, or several if a list is in it, and the words that arrive.
    fn word(&mut self) -> (String, Vec<String>) {
        const LITERALS: [(&str, &str); 15] = [
            ("v", "v"),
            ("--file=", "--file="),
            ("a/", "a/"),
            ("'q r'", "q r"),
            ("\"d $((1 + 1))\"", "d 2"),
            ("\\'", "'"),
            ("\"it's\"", "it's"),
            ("\\\\", "\\"),
            ("x=", "x="),
            ("=", "="),
            ("2", "2"),
            ("'#'", "#"),
            ("$(echo s)", "s"),
            ("\"${z:-d e}\"", "d e"),
            ("''", ""),
        ];
        let count = 1 + self.dice.below(3);
        let (mut source, mut words) = (String::new(), vec![String::new()]);
        for _ in 0..count {
            if self.dice.one_in(2) {
                let (written, list, is_list) = self.any_value();
                self.kind(if is_list {
                    "list"
                } else if count == 1 {
                    "word"
                } else {
                    "part"
                });
                source += &written;
                if is_list && count == 1 {
                    return (source, list);
                }
                let mut items = list.into_iter();
                if let (Some(last), Some(item)) = (words.last_mut(), items.next()) {
                    last.push_str(&item);
                }
                words.extend(items);
            } else {
                let (written, text) = self.one_of(&LITERALS);
                if count > 1 && text.len() > 1 {
                    self.kind("quoted beside");
                }
                source += written;
                words.last_mut().unwrap().push_str(text);
            }
        }
        if self.dice.one_in(8) {
            source += "#b";
            words.last_mut().unwrap().push_str("#b");
        }
        (source, words)
    }

    fn show(&mut self, words: Vec<String>) -> String {
        self.made.shown.push(words);
        format!("show {}", self.made.shown.len() - 1)
    }

    fn shows(&mut self) -> String {
        let (mut source, mut words) = (String::new(), Vec::new());
        for _ in 0..=self.dice.below(2) {
            let (written, arrive) = self.word();
            source += self.one_of(&[" ", "  ", "\t", " \\\n  "]);
            source += &written;
            words.extend(arrive);
        }
        self.show(words) + &source
    }

    fn command(&mut self, depth: usize) -> String {
        if depth == 0 {
            return self.shows();
        }
        match self.dice.below(4) {
            0 => self.shows(),
            1 => self.compound(depth - 1),
            2 => self.expansion(depth - 1),
            _ => self.line(depth - 1),
        }
    }

    fn compound(&mut self, depth: usize) -> String {
        let inner = self.command(depth);
        let (text, word) = self.text();
        let (kind, source) = match self.dice.below(9) {
            0 => ("subshell", format!("( {inner} )")),
            1 => ("group", format!("{{ {inner}; }}")),
            2 => ("group", format!("{{\n{inner}\n}} > o{text}")),
            3 => ("if", format!("if [ {text} = {text} ]; then {inner}; else\n{inner}\nfi")),
            4 => {
                let (source, words) = self.word();
                let show = self.show(words);
                ("for", format!("for f in {source}; do printf '%s\\n' \"$f\"; done; {show} {source}"))
            }
            5 => ("case", format!("case {text} in\n  a*) {inner};;\n  (b|'c d') : ;;\n  *) {inner}\nesac")),
            6 => ("function", format!("f() {{ {inner}; }}\nf {text}")),
            7 => ("if", format!("while false; do {inner}; done; ! {inner}")),
            _ => {
                let show = self.show(vec![word]);
                ("parameters", format!("{{ set -- {text}\n{show} \"$1\"\n{inner}\n}}"))
            }
        };
        self.kind(kind);
        source
    }

    fn expansion(&mut self, depth: usize) -> String {
        let inner = self.command(depth);
        let (text, word) = self.text();
        let trimmed = word.trim_end_matches('\n').to_owned();
        let (kind, source) = match self.dice.below(10) {
            0 => ("substitution", self.show(vec![trimmed]) + &format!(" \"$(printf %s {text})\"")),
            1 => ("substitution", format!("echo \"a'$({inner})'\" $({inner})")),
            2 => ("assignment", format!("{{ x={text}; {} \"$x\"; }}", self.show(vec![word]))),
            3 => (
                "assignment",
                format!("{{ x=$(printf '%s' {text}) w=1; {} \"$x\"; }}", self.show(vec![trimmed])),
            ),
            4 => ("default", self.show(vec![word]) + &format!(" ${{y:-{text}}}")),
            5 => ("default", format!("{} \"${{y:-a b}}\" {text}", self.show(vec!["a b".into(), word]))),
            6 => ("arithmetic", format!("i=$((1 << 2)); ((1)); echo $(( $(wc -l < {text}) + i )); {inner}")),
            7 => (
                "backquotes",
                format!("{} `echo a` \"`echo b`\" {text}", self.show(vec!["a".into(), "b".into(), word])),
            ),
            8 => ("export", format!("{{ export X={text} Y; {} \"$X\"; }}", self.show(vec![word]))),
            _ => ("printf", format!("printf '%s\\n' {text}; printf -- \"%s\" {text} | {inner}")),
        };
        self.kind(kind);
        source
    }

    fn line(&mut self, depth: usize) -> String {
        let inner = self.command(depth);
        let (text, word) = self.text();
        let body = self.one_of(&[
            "it's", "a \"b", "$x ${y}", "`", "$(", "a \\", "((", "# it's '", "", "E F", "\tE", " E",
        ]);
        let (kind, source) = match self.dice.below(10) {
            0 => {
                let end = self.one_of(&[
                    "E", "'E'", "\"E\"", "\\E", "-E", "-'E'", " E", "'E F'", "\"E F\"", "E$x", "'E'F",
                    "${E}", "E\\ F",
                ]);
                ("here-document", format!("{} {text} <<{end}\n{body}\nE\n{inner}", self.show(vec![word])))
            }
            1 => ("here-document", format!("{inner} <<'E'; {inner} <<-F\n{body}\nE\n\tF\n{inner}")),
            2 => ("comment", format!("# {body}\n{inner}; # {body}\n: a#b {text}")),
            3 => ("continued", format!("echo a \\\n  {text} \\\n\t{text}\n{inner}")),
            4 => (
                "redirection",
                format!("{inner} > o 2>&1 3>o{text}; {inner} >> {text} 2> /dev/null < {text}"),
            ),
            5 => ("pipeline", format!(": | {inner} | : && {inner} ||\n  {{ : & wait; }}")),
            6 => ("test", format!("[ -n {text} ] && test ! {text} != {text} && [ {text} -eq 1 ] || {inner}")),
            7 => (
                "inner shell",
                format!("sh -c 'echo \"$1\"' sh {text}; bash -ec 'printf %s \"$@\"' - {text}"),
            ),
            8 => ("here-string", format!("{} {text} <<< {text}", self.show(vec![word]))),
            _ => ("continued", format!("{inner} \\\n# {body}\n{inner}")),
        };
        self.kind(kind);
        source
    }

    /// A place where a value is dangerous, or that few readers understand correctly.
    fn attack(&mut self) -> String {
        let mut source = if self.dice.one_in(2) { self.shows() + "\n" } else { String::new() };
        let attack = self.one_of(ATTACKS);
        for (place, part) in attack.split("<v>").enumerate() {
            if place > 0 {
                source += &self.value();
            }
            source += part;
        }
        source + "\n" + &self.shows()
    }

    /// Pieces of texts in any order.
    fn soup(&mut self) -> String {
        self.kind("soup");
        let mut source = "show a ".to_owned();
        for _ in 0..3 + self.dice.below(14) {
            if self.dice.one_in(3) {
                source += &self.value();
            } else {
                source += self.one_of(PIECES);
            }
        }
        source
    }
}
