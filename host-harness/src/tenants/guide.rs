//! Where each tenant is found: by name, and by the address of a request.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use http::Request;
use tokio::sync::Mutex;

use super::address::Address;
use super::name::Name;
use super::{State, Tenant};
use crate::settings::{Settings, SettingsError};

/// The tenants that are served.
#[derive(Debug, Default)]
pub(crate) struct Guide(RwLock<Known>);

#[derive(Debug, Default)]
struct Known {
    by_name: BTreeMap<Name, Arc<Tenant>>,
    by_address: HashMap<Address, Arc<Tenant>>,
}

impl Guide {
    /// Adds a tenant as it lies in its directory.
    ///
    /// # Errors
    /// When its address cannot be read, or is another's.
    pub(crate) fn look(&self, settings: &Settings, name: &Name) -> Result<(), SettingsError> {
        let address = settings.address_of(name)?;
        let state = match settings.tenants.is_suspended(name) {
            true => State::Suspended,
            false => State::Asleep,
        };
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(other) = known.by_address.get(&address) {
            return Err(settings.taken(name, &other.name));
        }
        let tenant = Arc::new(Tenant {
            name: name.clone(),
            address: address.clone(),
            state: Mutex::new(state),
        });
        known.by_name.insert(name.clone(), Arc::clone(&tenant));
        known.by_address.insert(address, tenant);
        Ok(())
    }

    /// Takes a tenant out.
    pub(crate) fn forget(&self, name: &Name) -> Option<Arc<Tenant>> {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let tenant = known.by_name.remove(name)?;
        known.by_address.remove(&tenant.address);
        Some(tenant)
    }

    pub(super) fn named(&self, name: &Name) -> Option<Arc<Tenant>> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.by_name.get(name).cloned()
    }

    /// Whose a request is, and how many bytes of its path say so.
    pub(crate) fn find<B>(&self, request: &Request<B>) -> Option<(Arc<Tenant>, usize)> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Address::candidates(request)
            .find_map(|(address, prefix)| Some((Arc::clone(known.by_address.get(&address)?), prefix)))
    }

    /// Every tenant, by name.
    pub(super) fn all(&self) -> Vec<Arc<Tenant>> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.by_name.values().cloned().collect()
    }
}
