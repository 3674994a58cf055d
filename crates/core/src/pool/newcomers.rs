//! Clients that have to make room for the next one.
use std::{collections::BTreeMap, net::IpAddr};

use super::{AddressCounts, network};

/// Clients without a token so far, in the order in which they came. When there is no room for one
/// more, the oldest of them goes: a client that only holds places keeps others out for no longer
/// than it takes to show a token.
#[derive(Debug)]
pub struct Newcomers<T> {
    /// Number of the next client.
    next: u64,
    members: BTreeMap<u64, (IpAddr, T)>,
    by_address: AddressCounts,
}

impl<T> Newcomers<T> {
    /// Adds a client at `address`, and gives the number that it is removed by.
    pub fn add(&mut self, address: IpAddr, client: T) -> u64 {
        let address = network(address);
        let number = self.next;
        self.next += 1;
        self.members.insert(number, (address, client));
        self.by_address.add(address);
        number
    }

    /// Removes a client. `None` if it is none of them any more.
    pub fn remove(&mut self, number: u64) -> Option<T> {
        let (address, client) = self.members.remove(&number)?;
        self.by_address.remove(address);
        Some(client)
    }

    pub fn len(&self) -> usize {
        self.members.len()
    }

    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Removes the client that makes room for one at `address`: the oldest that `may_go` of the
    /// address that has most. If that is the newcomer's own, no other makes room, so a flood from a
    /// few addresses pushes out only its own clients.
    pub fn displace(&mut self, address: IpAddr, may_go: impl Fn(&T) -> bool) -> Option<T> {
        let address = network(address);
        let most = self.by_address.most()?;
        let is_own = self.by_address.at(address) >= most;
        let crowds = |from: &IpAddr| {
            if is_own { *from == address } else { self.by_address.at(*from) == most }
        };
        let mut may_go = self.members.iter().filter(|(_, (_, client))| may_go(client));
        let crowded = may_go.clone().find(|(_, (from, _))| crowds(from));
        let found = crowded.or_else(|| may_go.next().filter(|_| !is_own));
        let number = *found?.0;
        self.remove(number)
    }
}

impl<T> Default for Newcomers<T> {
    fn default() -> Self {
        Self { next: 0, members: BTreeMap::new(), by_address: AddressCounts::default() }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn at(last: u8) -> IpAddr {
        Ipv4Addr::new(10, 0, 0, last).into()
    }

    #[test]
    fn the_oldest_that_may_go_makes_room() {
        let mut all = Newcomers::default();
        for n in 0..9 {
            all.add(at(n), n);
        }
        assert_eq!(all.displace(at(99), |_| true), Some(0));
        assert_eq!(all.displace(at(99), |n| n % 2 == 0), Some(2));
        assert_eq!(all.displace(at(99), |n| *n > 10), None);
        assert_eq!(all.len(), 7);
    }

    #[test]
    fn an_address_with_many_pushes_out_its_own_first() {
        let mut all = Newcomers::default();
        let quiet = all.add(at(1), "quiet");
        for _ in 0..9 {
            all.add(at(2), "many");
        }
        for _ in 0..7 {
            assert_eq!(all.displace(at(2), |_| true), Some("many"));
        }
        // Nor does a newcomer from a third address push out the quiet one.
        assert_eq!(all.displace(at(3), |_| true), Some("many"));
        assert_eq!(all.remove(quiet), Some("quiet"));
        assert_eq!((all.len(), all.by_address.len()), (1, 1));
    }
}
