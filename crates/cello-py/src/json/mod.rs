//! JSON straight from Python objects, and straight into them.

mod decode;
mod encode;

pub(crate) use decode::decode;
pub(crate) use encode::encode;

/// How deep values may nest, in both directions.
const MAX_DEPTH: usize = 128;
