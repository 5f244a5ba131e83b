//! Lines of a connection, each within a bound: what somebody sends is never kept without end.

use std::io;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

/// Reads lines, none of which is kept beyond a bound.
pub(super) struct Lines<R> {
    reader: BufReader<R>,
    /// What has come of the next line.
    line: Vec<u8>,
    bytes_max: usize,
}

/// The answer to a wait for a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A line, without its end. The last one may lack it.
    Whole(Vec<u8>),
    /// More than the bound; the rest was not read.
    TooLong,
    /// Nothing will come any more.
    End,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    /// The lines of `reader`, none of which has more than `bytes_max` bytes.
    pub(super) fn new(reader: R, bytes_max: usize) -> Self {
        Self { reader: BufReader::new(reader), line: Vec::new(), bytes_max }
    }

    /// The next line. Whoever stops waiting for it loses nothing.
    ///
    /// # Errors
    /// When the connection is broken.
    pub(super) async fn next(&mut self) -> io::Result<Line> {
        loop {
            let come = self.reader.fill_buf().await?;
            if come.is_empty() {
                let rest = std::mem::take(&mut self.line);
                return Ok(if rest.is_empty() { Line::End } else { Line::Whole(rest) });
            }
            let end = come.iter().position(|byte| *byte == b'\n');
            let part = come.get(..end.unwrap_or(come.len())).unwrap_or_default();
            if self.line.len() + part.len() > self.bytes_max {
                self.line = Vec::new();
                return Ok(Line::TooLong);
            }
            self.line.extend_from_slice(part);
            let taken = part.len() + usize::from(end.is_some());
            self.reader.consume(taken);
            if end.is_some() {
                return Ok(Line::Whole(std::mem::take(&mut self.line)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::io::AsyncWriteExt;

    use super::*;

    #[tokio::test]
    async fn lines_come_whole_and_the_last_one_without_its_end() {
        let mut lines = Lines::new(&b"a\n\nbcd"[..], 3);
        for line in ["a", "", "bcd"] {
            assert_eq!(lines.next().await.unwrap(), Line::Whole(line.into()));
        }
        assert_eq!(lines.next().await.unwrap(), Line::End);
    }

    #[tokio::test]
    async fn reading_stops_at_the_bound() {
        let (mut sender, receiver) = tokio::io::duplex(64);
        let mut lines = Lines::new(receiver, 100);
        let endless = async {
            // Ends when the other side is gone.
            while sender.write_all(&[b'x'; 64]).await.is_ok() {}
        };
        let (_, read) = tokio::join!(endless, async {
            let read = lines.next().await;
            drop(lines);
            read
        });
        assert_eq!(read.unwrap(), Line::TooLong);
    }

    #[tokio::test]
    async fn half_a_line_is_kept_for_whoever_waits_again() {
        let (mut sender, receiver) = tokio::io::duplex(64);
        let mut lines = Lines::new(receiver, 100);
        sender.write_all(b"half ").await.unwrap();
        assert!(lines.next().now_or_never().is_none());
        sender.write_all(b"whole\n").await.unwrap();
        assert_eq!(lines.next().await.unwrap(), Line::Whole(b"half whole".to_vec()));
    }
}
