//! w
pub mod work;
