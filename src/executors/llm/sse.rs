//! Server-sent events, as they come in pieces: <https://html.spec.whatwg.org/multipage/server-sent-events.html>. Only the names
//! of events and their data mean something here.

/// Bytes on their way to being events.
#[derive(Debug, Default)]
pub(super) struct Events {
    /// A line that has no end yet.
    line: Vec<u8>,
    /// Whether the line before ended with a carriage return, to which a line feed may belong.
    after_return: bool,
    data: String,
    has_data: bool,
}

impl Events {
    /// Takes in bytes; answers the data of the events that are whole with them.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut whole = Vec::new();
        for byte in bytes {
            let after_return = std::mem::replace(&mut self.after_return, *byte == b'\r');
            match byte {
                b'\n' if after_return => {}
                b'\r' | b'\n' => {
                    let line = std::mem::take(&mut self.line);
                    whole.extend(self.end_line(&String::from_utf8_lossy(&line)));
                }
                byte => self.line.push(*byte),
            }
        }
        whole
    }

    fn end_line(&mut self, line: &str) -> Option<String> {
        if line.is_empty() {
            let data = std::mem::take(&mut self.data);
            return std::mem::take(&mut self.has_data).then_some(data);
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        if field == "data" {
            if self.has_data {
                self.data.push('\n');
            }
            self.data.push_str(value.strip_prefix(' ').unwrap_or(value));
            self.has_data = true;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_the_same_however_they_are_cut() {
        let text = "\u{feff}: hello\nevent: a\ndata: {\"ü\":1}\n\ndata:two\r\ndata:  lines\r\n\r\nid: 3\r\rdata\n\nretry: 1\n\ndata: open";
        let expected = ["{\"ü\":1}", "two\n lines", ""];
        for size in 1..text.len() {
            let mut events = Events::default();
            let found: Vec<_> = text.as_bytes().chunks(size).flat_map(|bytes| events.push(bytes)).collect();
            assert_eq!(found, expected, "{size}");
        }
    }
}
