"""Live status over WebSocket: who may connect, what is told, and how nobody is kept waiting."""
