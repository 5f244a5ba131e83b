//! The input of a run: from arguments, against its schema.
