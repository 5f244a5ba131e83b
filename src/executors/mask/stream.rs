//! Masks bytes that come in pieces: what comes out is the same, however they are cut.

use super::Masks;

/// Bytes on their way through masks. It holds back what may become a value with the bytes that follow: always fewer bytes than
/// the longest value has.
#[derive(Debug, Default)]
pub(in crate::executors) struct Stream {
    held: Vec<u8>,
}

impl Stream {
    /// Takes in bytes, and puts into `out` what is known not to be a part of a value, and the masks of those that are.
    pub(in crate::executors) fn push(&mut self, masks: &Masks, bytes: &[u8], out: &mut Vec<u8>) {
        self.take(masks, bytes, true, out);
    }

    /// No more bytes follow: what was held back comes out.
    pub(in crate::executors) fn end(&mut self, masks: &Masks, out: &mut Vec<u8>) {
        self.take(masks, &[], false, out);
    }

    /// How many bytes are held back.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.held.len()
    }

    fn take(&mut self, masks: &Masks, bytes: &[u8], more_follow: bool, out: &mut Vec<u8>) {
        let mut joined = std::mem::take(&mut self.held);
        let all = if joined.is_empty() {
            bytes
        } else {
            joined.extend_from_slice(bytes);
            &joined
        };
        let Some(finder) = &masks.finder else { return out.extend_from_slice(all) };
        let known = finder.replace(all, more_follow, out);
        self.held = all.get(known..).unwrap_or_default().to_vec();
    }
}
