//! Clients in JavaScript: a web page's hook, the first revision of the protocol, Socket.IO, and
//! workflows.

mod page;
mod protocol;
mod rooms;
mod workflows;
