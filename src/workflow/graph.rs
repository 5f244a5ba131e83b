//! What the steps' `needs` say about their order.
