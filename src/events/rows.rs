//! Rows of read models: keys and bytes, as a fold makes them and a store keeps them.

/// A row of a read model: its key and its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewRow {
    /// At most [`super::limits::VIEW_KEY_BYTES_MAX`] bytes.
    pub key: Vec<u8>,
    /// At most [`super::limits::VIEW_ROW_BYTES_MAX`] bytes.
    pub bytes: Vec<u8>,
}

/// A new or removed row of a read model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewChange {
    /// The key of the row.
    pub key: Vec<u8>,
    /// The row's new bytes; none if the row is removed.
    pub bytes: Option<Vec<u8>>,
}
