//! The component's exports. Each call takes the plugin out of its place and puts it back at the end: a host that
//! calls back inside an import finds nobody there and is told so, and no borrow is held across an import.

mod channel;
mod http;
mod maintenance;
mod socket;
mod tools;
#[cfg(feature = "wasi-http")]
mod wasi_http;
mod web_push_events;

pub(crate) use http::to_wit;

use std::cell::Cell;
use std::marker::PhantomData;
use std::thread::LocalKey;

use crate::imports::Imports;
use crate::{ChannelPlugin, Host, log};

/// What the exports are implemented on.
#[derive(Debug)]
pub struct Component<P>(PhantomData<P>);

/// Where a plugin is between two calls.
pub type Place<P> = Cell<Option<Box<P>>>;

/// A plugin with a place, which `export!` gives it.
pub trait Exported: ChannelPlugin {
    /// Where it is.
    fn place() -> &'static LocalKey<Place<Self>>;
}

/// Runs a call on the plugin; `None` while another call is running.
fn enter<P: Exported, T>(call: impl FnOnce(&mut P, &mut dyn Host) -> T) -> Option<T> {
    log::install();
    let mut plugin = P::place().take()?;
    let result = call(&mut plugin, &mut Imports);
    P::place().set(Some(plugin));
    Some(result)
}
