// What a page does with named rooms and with a model of its own: nobody signs in.
class WebSocketService {
  constructor(io, url, options = {}) {
    this.io = io;
    this.url = url;
    this.options = options;
    this.socket = null;
  }

  connect() {
    const transports = ["websocket", "polling"];
    this.socket = this.io(this.url, { transports, ...this.options });
  }

  joinRoom(room) {
    this.socket.emit("join_room", { room });
  }

  sendMessage(message, room = "general") {
    this.socket.emit("message", { message, room });
  }

  requestLLM(message, intelligenceLevel = "super") {
    this.socket.emit("llm_request", { message, intelligence_level: intelligenceLevel });
  }

  onMessage(callback) {
    this.socket.on("new_message", callback);
  }

  onLLMToken(callback) {
    this.socket.on("llm_token", callback);
  }

  disconnect() {
    if (this.socket) this.socket.disconnect();
  }
}

module.exports = { WebSocketService };
