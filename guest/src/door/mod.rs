//! The component's exports. Each call takes the plugin out of its place and puts it back at the end: a host that
//! calls back inside an import finds nobody there and is told so, and no borrow is held across an import.

mod channel;
mod host;
mod http;
mod log;
mod maintenance;
mod socket;
mod tools;
mod wasi_http;
mod web_push_events;

use std::cell::Cell;

use crate::plugin::Plugin;
use host::ComponentHost;

/// What the exports are implemented on.
pub(crate) struct Component;

thread_local! {
    static PLUGIN: Cell<Option<Box<Plugin>>> = Cell::new(Some(Box::default()));
}

/// Runs a call on the plugin; `None` while another call is running.
fn enter<T>(call: impl FnOnce(&mut Plugin, &mut ComponentHost) -> T) -> Option<T> {
    log::install();
    let mut plugin = PLUGIN.take()?;
    let result = call(&mut plugin, &mut ComponentHost);
    PLUGIN.set(Some(plugin));
    Some(result)
}
