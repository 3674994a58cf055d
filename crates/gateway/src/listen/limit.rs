//! Limit on connections that are no sessions: each is a file and a buffer, even if it is idle.
use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use quadrille_core::{
    Buffers, Holder, Limits, Newcomers, NotAdmitted, Permit, Pool, Shares, Shortage, network,
    telemetry,
};
use quadrille_edge::Core;
use quadrille_identity::Mode;
use tokio_util::sync::CancellationToken;

use crate::proxies::ConnectionPeer;

/// Limit on HTTP connections. Cloning shares it.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionLimit(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    mode: Mode,
    pool: Pool,
    /// Pool of the bytes that clients are sending.
    buffers: Buffers,
    taken: Mutex<Occupancy>,
}

#[derive(Debug, Default)]
struct Occupancy {
    /// Limit for one address; 0 is none.
    each: usize,
    /// Connections by [`network`].
    by_address: HashMap<IpAddr, usize>,
    /// Connections of clients without a token where one is needed.
    newcomers: Newcomers<Arc<Held>>,
}

/// State of a permit that another connection may take over.
#[derive(Debug, Default)]
struct Held {
    /// `None` while the connection is a session, and once another connection has taken it over.
    permit: Mutex<Option<Permit>>,
    /// A request is in progress.
    busy: AtomicBool,
    /// Cancelled once the connection has to close.
    displaced: CancellationToken,
}

/// Permit of one connection, released on drop.
#[derive(Debug)]
pub(crate) struct ConnectionPermit {
    limit: ConnectionLimit,
    source: ConnectionSource,
    /// The client that it counts for.
    holder: Holder,
    held: Arc<Held>,
    /// Number among the newcomers, if it is one of them.
    number: Option<u64>,
    is_counted: bool,
}

/// Source of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ConnectionSource {
    Client(IpAddr),
    /// A program on this machine other than a trusted proxy.
    Machine,
    /// A trusted proxy: carries requests of many clients, and counts for none of them.
    Proxy,
    /// The reserve for health checks, which is bounded elsewhere.
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

    /// Changes the limits. Permits in use stay valid.
    pub(crate) fn reload(&self, limits: &Limits) {
        self.0.pool.resize(limits.http_connections);
        self.taken().each = limits.connections_per_ip;
    }

    /// Takes a permit. At the limit, the oldest connection of a client without a required token is
    /// displaced: an idle one, or, if there is none and the new connection has no token either, any.
    pub(crate) fn acquire(
        &self,
        caller: ConnectionPeer,
        is_proxy: bool,
    ) -> Result<ConnectionPermit, NotAdmitted> {
        let source = ConnectionSource::of(caller, is_proxy);
        let holder = self.newcomer(source);
        let address = source.address();
        let mut taken = self.taken();
        let pool = &self.0.pool;
        if pool.used() >= pool.size() && taken.newcomers.is_empty() {
            pool.check(&holder, 1).map_err(|shortage| NotAdmitted::of(shortage, &holder))?;
        }
        let from = address.and_then(|address| taken.by_address.get(&address));
        if taken.each > 0 && from.is_some_and(|&count| count >= taken.each) {
            return Err(NotAdmitted::Address);
        }
        let pooled = match self.0.pool.take(&holder, 1) {
            Ok(pooled) => pooled,
            Err(shortage @ Shortage::Share) => return Err(NotAdmitted::of(shortage, &holder)),
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

    /// Returns a permit that does not count, for a connection that is bounded elsewhere.
    pub(crate) fn reserve(&self) -> ConnectionPermit {
        self.permit(ConnectionSource::Reserve, Holder::Program)
    }

    fn newcomer(&self, source: ConnectionSource) -> Holder {
        match source {
            ConnectionSource::Client(address) => self.0.mode.newcomer(address),
            // In open mode all such programs would share one address.
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

    /// Address for `limits.connections_per_ip`.
    fn address(self) -> Option<IpAddr> {
        match self {
            Self::Client(address) => Some(address),
            Self::Machine | Self::Proxy | Self::Reserve => None,
        }
    }
}

// === impl Occupancy ===

impl Occupancy {
    /// Displaces a connection; `None` if there is none that may be.
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

    /// Releases the permit: a session counts elsewhere.
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

    /// Counts again once a session has ended and its connection goes on. It is never refused.
    pub(crate) fn reacquire(&mut self) {
        if self.is_counted || self.source == ConnectionSource::Reserve {
            return;
        }
        let limit = self.limit.clone();
        let permit = limit.0.pool.force(&self.holder, 1);
        self.enter(&mut limit.taken(), permit);
        telemetry::http_connection_opened();
    }

    /// Marks a request as in progress: idle connections are displaced first.
    pub(crate) fn set_busy(&self, busy: bool) {
        self.held.busy.store(busy, Relaxed);
    }

    /// Whether the connection carries requests of many clients, and counts for none of them.
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self.source, ConnectionSource::Proxy | ConnectionSource::Reserve)
    }

    /// Pool of the bytes that clients are sending.
    pub(crate) fn buffers(&self) -> Buffers {
        self.limit.0.buffers.clone()
    }

    /// Holder for a request of `peer` without a token.
    pub(crate) fn unknown(&self, peer: IpAddr) -> Holder {
        self.limit.0.mode.newcomer(peer)
    }

    pub(crate) fn holder(&self) -> &Holder {
        &self.holder
    }

    /// Counts the connection for `holder`, whom a request identified. On an error nothing changes.
    pub(crate) fn identified(&mut self, holder: &Holder) -> Result<(), Shortage> {
        // A connection begins as a stranger's, so that changes nothing.
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

    /// Cancelled once another connection has displaced this one.
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
