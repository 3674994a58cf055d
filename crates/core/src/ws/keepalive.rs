//! When to ping a peer, and when to give up on it.
use tokio::time::{Duration, Instant};

use super::pump::Config;
use crate::Close;

/// Signs of life of one peer.
#[derive(Debug)]
pub(crate) struct Keepalive {
    /// When something last came.
    last_read: Instant,
    pinged: Instant,
    /// Since when the peer has taken no data while there was some.
    blocked: Option<Instant>,
    ping_interval: Duration,
    ping_timeout: Duration,
    write_timeout: Duration,
}

/// An action of the pump.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Nothing,
    Ping,
    End(Close),
}

/// Time between two looks if pings are disabled.
const NEVER: Duration = Duration::from_hours(24);

impl Keepalive {
    pub(crate) fn new(config: &Config, now: Instant) -> Self {
        let Config { ping_interval, ping_timeout, write_timeout, .. } = *config;
        Self {
            last_read: now,
            pinged: now,
            blocked: None,
            ping_interval,
            ping_timeout,
            write_timeout,
        }
    }

    /// Notes that something came from the peer, or that nothing was read.
    pub(crate) fn on_read(&mut self, now: Instant) {
        self.last_read = now;
    }

    /// Notes that the peer took data. That is a sign of life only after a write that was blocked:
    /// the system buffers a good deal for a peer that is gone.
    pub(crate) fn on_write_progress(&mut self) {
        if self.blocked.take().is_some() {
            self.last_read = Instant::now();
        }
    }

    /// Notes that the peer takes no data.
    pub(crate) fn on_write_blocked(&mut self) {
        self.blocked.get_or_insert_with(Instant::now);
    }

    /// Time of the next look at [`Self::due`].
    pub(crate) fn next(&self) -> Instant {
        let pong = self.last_read < self.pinged;
        let wait = match (pong, self.ping_interval.is_zero()) {
            (true, _) => self.ping_timeout,
            (false, false) => self.ping_interval,
            (false, true) => NEVER,
        };
        let next = self.pinged + wait;
        let given_up = self.blocked.filter(|_| !self.write_timeout.is_zero());
        given_up.map_or(next, |since| next.min(since + self.write_timeout))
    }

    /// Action that is due at `now`; a ping counts as sent.
    pub(crate) fn due(&mut self, now: Instant) -> Due {
        let over = |since: Instant, limit: Duration| !limit.is_zero() && now >= since + limit;
        if self.blocked.is_some_and(|since| over(since, self.write_timeout)) {
            return Due::End(Close::SLOW);
        }
        if self.last_read < self.pinged {
            let silent = now >= self.pinged + self.ping_timeout;
            return if silent { Due::End(Close::NO_PONG) } else { Due::Nothing };
        }
        if self.ping_interval.is_zero() {
            // So that the next look is in the future.
            (self.pinged, self.last_read) = (now, now);
            return Due::Nothing;
        }
        if over(self.pinged, self.ping_interval) {
            self.pinged = now;
            return Due::Ping;
        }
        Due::Nothing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn keepalive(interval: u32, timeout: u32, write: u32) -> (Keepalive, Instant) {
        let config = Config {
            max_message_size: 0,
            ping_interval: SECOND * interval,
            ping_timeout: SECOND * timeout,
            write_timeout: SECOND * write,
        };
        let now = Instant::now();
        (Keepalive::new(&config, now), now)
    }

    /// The actions due at first, each with its time in seconds.
    fn timeline(keepalive: &mut Keepalive, begin: Instant, answered: bool) -> Vec<(u64, Due)> {
        let mut all = Vec::new();
        for _ in 0..4 {
            let now = keepalive.next();
            let due = keepalive.due(now);
            assert!(
                keepalive.next() > now || matches!(due, Due::End(_)),
                "never looks again at once"
            );
            if answered {
                keepalive.on_read(now + SECOND / 10);
            }
            all.push(((now - begin).as_secs(), due));
        }
        all
    }

    #[test]
    fn a_peer_that_answers_is_pinged_every_interval() {
        let (mut keepalive, begin) = keepalive(30, 10, 0);
        let pings = [30, 60, 90, 120].map(|at| (at, Due::Ping));
        assert_eq!(timeline(&mut keepalive, begin, true), pings);
    }

    #[test]
    fn a_silent_peer_is_given_up_after_the_timeout_even_if_it_exceeds_the_interval() {
        for (interval, timeout) in [(30, 10), (10, 30)] {
            let (mut keepalive, begin) = keepalive(interval, timeout, 0);
            let timeline = timeline(&mut keepalive, begin, false);
            let end = (u64::from(interval + timeout), Due::End(Close::NO_PONG));
            assert_eq!(timeline.get(..2), Some([(u64::from(interval), Due::Ping), end].as_slice()));
        }
    }

    #[test]
    fn a_peer_that_takes_no_data_is_given_up_and_one_that_takes_some_is_not() {
        let (mut keepalive, _) = keepalive(0, 10, 5);
        keepalive.on_write_blocked();
        let at = keepalive.next();
        assert_eq!(keepalive.due(at - SECOND), Due::Nothing);
        assert_eq!(keepalive.due(at), Due::End(Close::SLOW));
        keepalive.on_write_progress();
        assert_eq!(keepalive.due(at), Due::Nothing);
    }

    #[test]
    fn without_an_interval_nothing_is_ever_due() {
        let (mut keepalive, begin) = keepalive(0, 10, 0);
        assert!(timeline(&mut keepalive, begin, true).iter().all(|(_, due)| *due == Due::Nothing));
    }
}
