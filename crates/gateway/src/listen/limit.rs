//! How many connections there may be besides sessions: each is a file and a buffer, whether it asks
//! for something or not.
use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use quadrille_core::{
    Buffers, Holder, Limits, Newcomers, Permit, Pool, Refused, Shares, Shortage, network, telemetry,
};
use quadrille_edge::Core;
use quadrille_identity::Mode;
use tokio_util::sync::CancellationToken;

use crate::proxies::ConnectionPeer;

/// All places. Cloning shares them.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionLimit(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    mode: Mode,
    pool: Pool,
    /// Bytes of what clients are sending.
    buffers: Buffers,
    taken: Mutex<Occupancy>,
}

#[derive(Debug, Default)]
struct Occupancy {
    /// For one address; 0 is no limit.
    each: usize,
    /// By [`network`].
    by_address: HashMap<IpAddr, usize>,
    /// Connections of clients that have shown no token where one is needed.
    newcomers: Newcomers<Arc<Held>>,
}

/// What a connection holds.
#[derive(Debug, Default)]
struct Held {
    /// `None` while the connection is a session, and once another connection has taken it.
    permit: Mutex<Option<Permit>>,
    /// A request is being answered.
    busy: AtomicBool,
    /// The connection has to go.
    displaced: CancellationToken,
}

/// One connection's place; dropping it gives the place back.
#[derive(Debug)]
pub(crate) struct ConnectionPermit {
    limit: ConnectionLimit,
    source: ConnectionSource,
    /// The client that it counts for.
    holder: Holder,
    held: Arc<Held>,
    /// What it is called among the newcomers, if it is one of them.
    number: Option<u64>,
    is_counted: bool,
}

/// Where a connection comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ConnectionSource {
    Client(IpAddr),
    /// A program on this machine that is no trusted proxy.
    Machine,
    /// A trusted proxy: the connection carries requests of many clients and counts for none of them.
    Proxy,
    /// The reserve for health: it is bounded elsewhere.
    Reserve,
}

// === impl ConnectionLimit ===

impl ConnectionLimit {
    pub(crate) fn new(core: &Core, limits: &Limits) -> Self {
        let buffers = core.sessions.buffers().clone();
        Self::divided(core.auth.mode(), &core.shares, buffers, limits)
    }

    fn divided(mode: Mode, shares: &Shares, buffers: Buffers, limits: &Limits) -> Self {
        let pool = Pool::new("http_connections", limits.http_connections, shares);
        let taken = Occupancy { each: limits.connections_per_ip, ..Occupancy::default() };
        Self(Arc::new(Inner { mode, pool, buffers, taken: Mutex::new(taken) }))
    }

    /// Other limits from now on. Who has a place keeps it.
    pub(crate) fn reload(&self, limits: &Limits) {
        self.0.pool.resize(limits.http_connections);
        self.taken().each = limits.connections_per_ip;
    }

    /// A place for a connection, or why there is none. Then the oldest connection of a client without
    /// a token makes room where one is needed: one that waits for a request, or, if there is none and
    /// the newcomer has no token either, any.
    pub(crate) fn take(
        &self,
        caller: ConnectionPeer,
        is_proxy: bool,
    ) -> Result<ConnectionPermit, Refused> {
        let source = ConnectionSource::of(caller, is_proxy);
        let holder = self.newcomer(source);
        let address = source.address();
        let mut taken = self.taken();
        let pool = &self.0.pool;
        if pool.used() >= pool.size() && taken.newcomers.is_empty() {
            pool.check(&holder, 1).map_err(|shortage| Refused::of(shortage, &holder))?;
        }
        let from = address.and_then(|address| taken.by_address.get(&address));
        if taken.each > 0 && from.is_some_and(|&count| count >= taken.each) {
            return Err(Refused::Address);
        }
        let pooled = match self.0.pool.take(&holder, 1) {
            Ok(pooled) => pooled,
            Err(shortage @ Shortage::Share) => return Err(Refused::of(shortage, &holder)),
            Err(shortage) => {
                taken.make_room(&holder, source).ok_or(shortage)?;
                self.0.pool.take(&holder, 1)?
            }
        };
        let mut permit = self.permit(source, holder);
        permit.enter(&mut taken, pooled);
        drop(taken);
        telemetry::http_connection_opened();
        Ok(permit)
    }

    /// A place that counts for nothing, for a connection that is bounded otherwise.
    pub(crate) fn reserve(&self) -> ConnectionPermit {
        self.permit(ConnectionSource::Reserve, Holder::Program)
    }

    fn newcomer(&self, source: ConnectionSource) -> Holder {
        match source {
            ConnectionSource::Client(address) => self.0.mode.newcomer(address),
            // Where nobody signs in, all such programs would be one address.
            ConnectionSource::Machine => match self.0.mode.newcomer(Ipv4Addr::UNSPECIFIED.into()) {
                Holder::Guest(_) => Holder::Program,
                stranger => stranger,
            },
            ConnectionSource::Proxy | ConnectionSource::Reserve => Holder::Program,
        }
    }

    fn permit(&self, source: ConnectionSource, holder: Holder) -> ConnectionPermit {
        let held = Arc::default();
        ConnectionPermit {
            limit: self.clone(),
            source,
            holder,
            held,
            number: None,
            is_counted: false,
        }
    }

    fn taken(&self) -> MutexGuard<'_, Occupancy> {
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl ConnectionSource ===

impl ConnectionSource {
    fn of(caller: ConnectionPeer, is_proxy: bool) -> Self {
        match caller {
            _ if is_proxy => Self::Proxy,
            ConnectionPeer::Address(address) => Self::Client(network(address)),
            ConnectionPeer::Unix => Self::Machine,
        }
    }

    /// What `limits.connections_per_ip` counts.
    fn address(self) -> Option<IpAddr> {
        match self {
            Self::Client(address) => Some(address),
            Self::Machine | Self::Proxy | Self::Reserve => None,
        }
    }
}

// === impl Occupancy ===

impl Occupancy {
    /// Takes the place of a connection that may have to go; `None` if there is none.
    fn make_room(&mut self, holder: &Holder, source: ConnectionSource) -> Option<()> {
        let address = source.address().unwrap_or(Ipv4Addr::UNSPECIFIED.into());
        let is_idle = |held: &Arc<Held>| !held.busy.load(Relaxed);
        let mut found = self.newcomers.displace(address, is_idle);
        if found.is_none() && holder.is_stranger() {
            found = self.newcomers.displace(address, |_| true);
        }
        let held = found?;
        drop(held.permit().take());
        held.displaced.cancel();
        Some(())
    }
}

// === impl Held ===

impl Held {
    fn permit(&self) -> MutexGuard<'_, Option<Permit>> {
        self.permit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl ConnectionPermit ===

impl ConnectionPermit {
    fn enter(&mut self, taken: &mut Occupancy, permit: Permit) {
        if let Some(address) = self.source.address() {
            *taken.by_address.entry(address).or_default() += 1;
        }
        if self.holder.is_stranger() {
            let address = self.source.address().unwrap_or(Ipv4Addr::UNSPECIFIED.into());
            self.number = Some(taken.newcomers.add(address, Arc::clone(&self.held)));
        }
        *self.held.permit() = Some(permit);
        self.is_counted = true;
    }

    /// Give the place back: a session counts elsewhere.
    pub(crate) fn release(&mut self) {
        if !std::mem::take(&mut self.is_counted) {
            return;
        }
        let mut taken = self.limit.taken();
        if let Some(number) = self.number.take() {
            taken.newcomers.remove(number);
        }
        if let Some(address) = self.source.address()
            && let Some(count) = taken.by_address.get_mut(&address)
        {
            *count -= 1;
            if *count == 0 {
                taken.by_address.remove(&address);
            }
        }
        drop(taken);
        drop(self.held.permit().take());
        telemetry::http_connection_closed();
    }

    /// Count again when a session is over and its connection goes on. That is no newcomer, so it is
    /// not refused.
    pub(crate) fn reacquire(&mut self) {
        if self.is_counted || self.source == ConnectionSource::Reserve {
            return;
        }
        let limit = self.limit.clone();
        let permit = limit.0.pool.force(&self.holder, 1);
        self.enter(&mut limit.taken(), permit);
        telemetry::http_connection_opened();
    }

    /// Whether a request is being answered: such a connection is not the first to make room.
    pub(crate) fn set_busy(&self, busy: bool) {
        self.held.busy.store(busy, Relaxed);
    }

    /// Whether the connection carries requests of many clients, and counts for none of them.
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self.source, ConnectionSource::Proxy | ConnectionSource::Reserve)
    }

    /// Bytes of what clients are sending.
    pub(crate) fn buffers(&self) -> Buffers {
        self.limit.0.buffers.clone()
    }

    /// The client that a request of `peer` counts for before it has shown a token.
    pub(crate) fn unknown(&self, peer: IpAddr) -> Holder {
        self.limit.0.mode.newcomer(peer)
    }

    pub(crate) fn holder(&self) -> &Holder {
        &self.holder
    }

    /// Counts the connection as that of `holder`, whom a request on it named. On an error nothing
    /// changes.
    pub(crate) fn identified(&mut self, holder: &Holder) -> Result<(), Shortage> {
        // A connection begins as a stranger's, so that is never news, and takes it from nobody.
        if self.is_shared() || holder.is_stranger() || self.holder == *holder {
            return Ok(());
        }
        if let Some(permit) = &mut *self.held.permit() {
            permit.assign(holder)?;
        }
        self.holder = holder.clone();
        if let Some(number) = self.number.take() {
            self.limit.taken().newcomers.remove(number);
        }
        Ok(())
    }

    /// Cancelled when the connection has to go, because another has its place.
    pub(crate) fn displaced(&self) -> CancellationToken {
        self.held.displaced.clone()
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        self.release();
    }
}

#[cfg(test)]
pub(crate) mod tests;
