//! How many connections there may be besides sessions: each is a file and a buffer, whether it asks
//! for something or not.
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use quadrille_core::{Limits, Refused, network, telemetry};

/// All places. Cloning shares them.
#[derive(Clone, Debug)]
pub(crate) struct Places(Arc<Mutex<Taken>>);

#[derive(Debug, Default)]
struct Taken {
    /// How many there may be.
    all: usize,
    /// For one address; 0 is no limit.
    each: usize,
    count: usize,
    /// By [`network`].
    by_address: HashMap<IpAddr, usize>,
}

/// One connection's place; dropping it gives the place back.
#[derive(Debug)]
pub(crate) struct Place {
    places: Places,
    /// What it counts for.
    address: Option<IpAddr>,
    held: bool,
}

// === impl Places ===

impl Places {
    pub(crate) fn new(limits: &Limits) -> Self {
        let places = Self(Arc::default());
        places.reload(limits);
        places
    }

    /// Other limits from now on. Who has a place keeps it.
    pub(crate) fn reload(&self, limits: &Limits) {
        let mut taken = self.taken();
        (taken.all, taken.each) = (limits.http_connections, limits.connections_per_ip);
    }

    /// A place for a connection, or why there is none. Without an address, only the limit of all
    /// counts.
    pub(crate) fn take(&self, address: Option<IpAddr>) -> Result<Place, Refused> {
        let address = address.map(network);
        let mut taken = self.taken();
        if taken.count >= taken.all {
            return Err(Refused::Full);
        }
        let from = address.and_then(|it| taken.by_address.get(&it));
        if taken.each > 0 && from.is_some_and(|&count| count >= taken.each) {
            return Err(Refused::Address);
        }
        taken.add(address);
        drop(taken);
        telemetry::http_connection_opened();
        Ok(Place { places: self.clone(), address, held: true })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Taken ===

impl Taken {
    fn add(&mut self, address: Option<IpAddr>) {
        self.count += 1;
        if let Some(address) = address {
            *self.by_address.entry(address).or_default() += 1;
        }
    }

    fn remove(&mut self, address: Option<IpAddr>) {
        self.count -= 1;
        let Some(address) = address else { return };
        if let Some(count) = self.by_address.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                self.by_address.remove(&address);
            }
        }
    }
}

// === impl Place ===

impl Place {
    /// Give the place back: a session counts elsewhere.
    pub(crate) fn leave(&mut self) {
        if std::mem::take(&mut self.held) {
            self.places.taken().remove(self.address);
            telemetry::http_connection_closed();
        }
    }

    /// Count again when a session is over and its connection goes on. That is no newcomer, so it is
    /// not refused.
    pub(crate) fn come_back(&mut self) {
        if !std::mem::replace(&mut self.held, true) {
            self.places.taken().add(self.address);
            telemetry::http_connection_opened();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn places(http_connections: usize, connections_per_ip: usize) -> Places {
        Places::new(&Limits { http_connections, connections_per_ip, ..Limits::default() })
    }

    const ONE: Option<IpAddr> = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
    const TWO: Option<IpAddr> = Some(IpAddr::V4(Ipv4Addr::BROADCAST));

    #[test]
    fn each_limit_refuses_with_its_own_reason_and_a_dropped_place_is_free() {
        let places = places(3, 2);
        let first = places.take(ONE).unwrap();
        let second = places.take(ONE).unwrap();
        assert_eq!(places.take(ONE).unwrap_err(), Refused::Address);
        let _third = places.take(None).unwrap();
        assert_eq!(places.take(TWO).unwrap_err(), Refused::Full);
        drop(first);
        drop(places.take(ONE).unwrap());
        let third = places.take(TWO).unwrap();
        places.reload(&Limits { http_connections: 2, ..Limits::default() });
        assert_eq!(places.take(TWO).unwrap_err(), Refused::Full);
        drop((third, second));
        assert!(places.take(ONE).is_ok());
    }

    #[test]
    fn addresses_of_one_network_of_ipv6_count_as_one() {
        let places = places(9, 1);
        let take = |address: &str| places.take(Some(address.parse().unwrap()));
        let first = take("2001:db8::1").unwrap();
        assert_eq!(take("2001:db8::ffff:0:2").unwrap_err(), Refused::Address);
        let _other = take("2001:db8:0:1::1").unwrap();
        drop(first);
        assert!(take("2001:db8::2").is_ok());
    }

    #[test]
    fn a_session_counts_elsewhere_until_it_is_over() {
        let places = places(1, 1);
        let mut place = places.take(ONE).unwrap();
        place.leave();
        place.leave();
        let other = places.take(ONE).unwrap();
        place.come_back();
        place.come_back();
        drop(other);
        assert_eq!(places.take(TWO).unwrap_err(), Refused::Full);
        drop(place);
        let taken = places.taken();
        assert_eq!((taken.count, taken.by_address.len()), (0, 0));
    }
}
