//! The disk under the test, and what it can be told.

#![allow(unsafe_code, missing_docs, unreachable_pub, clippy::all, reason = "generated")]

wit_bindgen::generate!({ path: "../../tests/disk/wit", world: "tested" });

pub(crate) use tests::disk::control::*;
