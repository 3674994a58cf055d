//! Clients in JavaScript: a web page's hook, the first revision of the protocol, Socket.IO, and
//! workflows.

mod page;
mod rooms;
mod workflows;
