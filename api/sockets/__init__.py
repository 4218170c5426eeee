"""What can be followed live, over WebSocket: who may connect, what is told, and how nobody is kept waiting."""
