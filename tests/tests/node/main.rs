//! Clients in JavaScript: a web page's hook, the first revision of the protocol, Socket.IO,
//! workflows, and the clients of what upstreams say.

mod page;
mod protocol;
mod rooms;
mod upstreams;
mod workflows;
