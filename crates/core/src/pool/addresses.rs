//! Counts by client address.
use std::{collections::HashMap, net::IpAddr};

use crate::network;

/// Number of clients at each address, or at each /64 of IPv6. None of the counts is zero.
#[derive(Debug, Default)]
pub(crate) struct AddressCounts(HashMap<IpAddr, usize>);

impl AddressCounts {
    pub(crate) fn add(&mut self, address: IpAddr) {
        *self.0.entry(network(address)).or_default() += 1;
    }

    pub(crate) fn remove(&mut self, address: IpAddr) {
        let address = network(address);
        if let Some(count) = self.0.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                self.0.remove(&address);
            }
        }
    }

    pub(crate) fn at(&self, address: IpAddr) -> usize {
        self.0.get(&network(address)).copied().unwrap_or(0)
    }

    /// The count of the address that has most.
    pub(crate) fn most(&self) -> Option<usize> {
        self.0.values().copied().max()
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}
