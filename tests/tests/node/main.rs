//! Clients in JavaScript: a web page's hook, the first revision of the protocol, and Socket.IO.

mod page;
mod rooms;
