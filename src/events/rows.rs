//! Rows of read models: keys and bytes, as a fold makes them and a store keeps them.

/// A row of a read model: its key and its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewRow {
    /// At most [`super::limits::VIEW_KEY_BYTES_MAX`] bytes.
    pub key: Vec<u8>,
    /// At most [`super::limits::VIEW_ROW_BYTES_MAX`] bytes.
    pub bytes: Vec<u8>,
}

/// A row's new bytes, or none if it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewChange {
    /// Under which key the row is kept.
    pub key: Vec<u8>,
    /// What it is now.
    pub bytes: Option<Vec<u8>>,
}
