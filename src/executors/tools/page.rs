//! A page as text: paragraphs in lines, headings, lists and links as Markdown has them. How deep anything lies in anything does not
//! matter, so that no page takes more time than it has bytes.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{
    BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
};

/// How long a page may take. Those that people write take milliseconds.
const TIME: Duration = Duration::from_secs(5);

/// How many bytes are read between two looks at the clock.
const CHUNK_BYTES: usize = 16 * 1024;

/// The text of a page in HTML, as far as there is time.
pub(super) fn text(html: &str) -> String {
    let until = Instant::now() + TIME;
    let tokenizer = Tokenizer::new(Page::default(), TokenizerOpts::default());
    let (input, mut rest) = (BufferQueue::default(), html);
    while !rest.is_empty() && Instant::now() < until {
        let (chunk, left) = rest.split_at(rest.floor_char_boundary(CHUNK_BYTES).max(1));
        rest = left;
        input.push_back(StrTendril::from_slice(chunk));
        let _ = tokenizer.feed(&input);
    }
    tokenizer.end();
    let text = tokenizer.sink.0.into_inner().text;
    text.trim().to_owned()
}

#[derive(Default)]
struct Page(RefCell<Text>);

/// The text so far.
#[derive(Default)]
struct Text {
    text: String,
    /// The tag whose content is left out, while it lasts.
    skipped: Option<String>,
    /// How many `pre` are open: in those white space counts.
    preformatted: u32,
    /// Where the link leads whose text is being read.
    link: Option<String>,
}

impl TokenSink for Page {
    type Handle = ();

    fn process_token(&self, token: Token, _: u64) -> TokenSinkResult<()> {
        let mut text = self.0.borrow_mut();
        match token {
            Token::CharacterTokens(chars) => text.add(&chars),
            Token::TagToken(tag) => return text.tag(&tag),
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

impl Text {
    fn add(&mut self, chars: &str) {
        if self.skipped.is_some() {
            return;
        }
        if self.preformatted > 0 {
            self.text.push_str(chars);
            return;
        }
        for (index, word) in chars.split(|char: char| char.is_ascii_whitespace()).enumerate() {
            let is_apart = self.text.is_empty() || self.text.ends_with([' ', '\n']);
            if index > 0 && !is_apart {
                self.text.push(' ');
            }
            self.text.push_str(word);
        }
    }

    fn tag(&mut self, tag: &Tag) -> TokenSinkResult<()> {
        let is_start = tag.kind == TagKind::StartTag;
        if self.skipped.is_some() {
            self.skipped.take_if(|skipped| !is_start && **skipped == *tag.name);
            return TokenSinkResult::Continue;
        }
        match &*tag.name {
            name @ ("script" | "style" | "iframe" | "noembed" | "noframes") if is_start => {
                self.skipped = Some(name.to_owned());
                let kind = if name == "script" { RawKind::ScriptData } else { RawKind::Rawtext };
                return TokenSinkResult::RawData(kind);
            }
            "title" | "textarea" if is_start => {
                self.lines(2);
                return TokenSinkResult::RawData(RawKind::Rcdata);
            }
            "a" => self.anchor(tag, is_start),
            "br" => self.text.push('\n'),
            "hr" => {
                self.lines(2);
                self.text.push_str("---\n\n");
            }
            "img" => self.add(&attribute(tag, "alt").unwrap_or_default()),
            "pre" => {
                self.lines(2);
                self.preformatted =
                    if is_start { self.preformatted + 1 } else { self.preformatted.saturating_sub(1) };
            }
            "li" if is_start => {
                self.lines(1);
                self.text.push_str("- ");
            }
            name @ ("h1" | "h2" | "h3" | "h4" | "h5" | "h6") => {
                self.lines(2);
                if is_start {
                    let level = name.trim_start_matches('h').parse().unwrap_or(1);
                    self.text.push_str(&"#".repeat(level));
                    self.text.push(' ');
                }
            }
            "td" | "th" if is_start && !self.text.ends_with('\n') => self.text.push_str(" | "),
            "p" | "ul" | "ol" | "dl" | "table" | "blockquote" | "title" | "textarea" => self.lines(2),
            "div" | "section" | "article" | "header" | "footer" | "main" | "nav" | "aside" | "tr" | "dt"
            | "dd" | "figure" | "figcaption" | "form" | "option" | "summary" | "details" => self.lines(1),
            _ => {}
        }
        TokenSinkResult::Continue
    }

    /// A link has its address behind its text.
    fn anchor(&mut self, tag: &Tag, is_start: bool) {
        if let Some(address) = self.link.take() {
            self.text.push_str(&format!("]({address})"));
        }
        if let Some(address) = attribute(tag, "href").filter(|_| is_start) {
            self.text.push('[');
            self.link = Some(address);
        }
    }

    /// Begins a new line, with so many ends of lines before it, unless nothing is before it.
    fn lines(&mut self, count: usize) {
        let ends = self.text.chars().rev().take_while(|char| *char == '\n').count();
        if self.text.ends_with(' ') {
            self.text.pop();
        }
        if !self.text.is_empty() {
            self.text.push_str(&"\n".repeat(count.saturating_sub(ends)));
        }
    }
}

fn attribute(tag: &Tag, name: &str) -> Option<String> {
    let found = tag.attrs.iter().find(|attribute| *attribute.name.local == *name)?;
    Some(found.value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_reads_as_its_text_does() {
        let html = "<html><head><title>The &amp; title</title><style>p { color: red }</style>\
             <script>if (a < b) { say('</p>') }</script></head><body><h1>First</h1>\n<p>One\n  <b>two</b>, three<br>four \
             <a href='/next?a=1&amp;b=2'>on</a>.</p><ul><li>a<li>b</ul><pre>  x\n    y</pre><table><tr><td>1<td>2</td></tr>\
             </table>last<!-- not this --></body>";
        let expected = "The & title\n\n# First\n\nOne two, three\nfour [on](/next?a=1&b=2).\n\n- a\n- b\n\n  x\n    y\n\n1 | 2\n\nlast";
        assert_eq!(text(html), expected);
        assert_eq!(text("no page at all < & >"), "no page at all < & >");
    }

    // A crate that draws pages took a minute for 100,000 open tags, each in the one before, and longer for other tags.
    #[test]
    fn no_page_takes_longer_than_it_may() {
        /// Longer than the time that a page has, on the slowest of machines.
        const LONG: Duration = Duration::from_secs(60);
        let pieces =
            ["<div>", "<b>", "<ul><li>", "<blockquote>", "<pre>", "<a href=x>", "<!--", "<a b", "&amp"];
        let many = pieces.map(|piece| piece.repeat(100_000));
        let odd = format!("<p {}>", (0..500_000).map(|n| format!("a{n} ")).collect::<String>());
        for page in many.iter().chain([&odd]) {
            let begun = Instant::now();
            text(page);
            assert!(begun.elapsed() < LONG, "{:?}: {}", begun.elapsed(), page.get(..20).unwrap());
        }
    }
}
