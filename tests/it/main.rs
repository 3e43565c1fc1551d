//! Events through the deployed stack.
