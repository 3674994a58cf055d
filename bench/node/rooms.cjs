// Rooms as socket.io has them, with its defaults: join one, and speak to all in it.
//
//   NODE_PATH=… node rooms.cjs
const { createServer } = require("http");
const { Server } = require("socket.io");

const server = createServer();
const io = new Server(server);

io.on("connection", (socket) => {
  socket.on("join_room", ({ room }) => {
    socket.join(room);
    const user_count = io.sockets.adapter.rooms.get(room).size;
    // Only who joins is told: thousands who are told of thousands would be a bench of its own.
    socket.emit("room_joined", { room, user_count });
  });
  socket.on("message", ({ message, room, user_name }) => {
    io.to(room).emit("new_message", { user: user_name, message, timestamp: Date.now() / 1000, room });
  });
});

server.listen({ host: "127.0.0.1", port: 0, backlog: 4096 }, () => {
  console.log(`listening on 127.0.0.1:${server.address().port}`);
});
