// What a chat page does with conversations: one socket for the page, opened with the user's token.
class SocketManager {
  constructor(io, url, options = {}) {
    this.io = io;
    this.url = url;
    this.options = options;
    this.socket = null;
    this.handlers = [];
  }

  // Settles as a page's does: never, if the server refuses, for then there is no second try.
  connect(token) {
    return new Promise((resolve, reject) => {
      const { reconnectionAttempts = 5 } = this.options;
      this.socket = this.io(this.url, {
        auth: token === null ? undefined : { token },
        transports: ["websocket", "polling"],
        reconnection: true,
        reconnectionDelay: 1000,
        reconnectionDelayMax: 5000,
        ...this.options,
      });
      let failures = 0;
      this.socket.on("connect", () => {
        failures = 0;
        resolve(this.socket.id);
      });
      this.socket.on("connect_error", (why) => {
        failures += 1;
        if (failures >= reconnectionAttempts) reject(why);
      });
      for (const [event, handler] of this.handlers) this.socket.on(event, handler);
    });
  }

  joinRoom(conversationId) {
    this.socket.emit("join_room", { conversation_id: conversationId });
  }

  leaveRoom(conversationId) {
    this.socket.emit("leave_room", { conversation_id: conversationId });
  }

  sendMessage(message, conversationId, userId) {
    const payload = { message, conversation_id: conversationId, user_id: userId };
    this.socket.emit("send_message", payload);
  }

  sendTypingIndicator(conversationId, userId, isTyping) {
    const payload = { conversation_id: conversationId, user_id: userId, is_typing: isTyping };
    this.socket.emit("typing", payload);
  }

  // May come before the socket is there.
  on(event, handler) {
    this.handlers.push([event, handler]);
    this.socket?.on(event, handler);
  }

  off(event, handler) {
    this.handlers = this.handlers.filter(([name, it]) => name !== event || it !== handler);
    this.socket?.off(event, handler);
  }

  disconnect() {
    this.socket.disconnect();
  }
}

module.exports = { SocketManager };
