"""Makes the stream: at each tick one publisher reads the sources and hands a snapshot on."""
