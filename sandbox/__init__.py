"""Stand-ins of the outside services, for the demo, tests and chaos. Speaks over the wire only; binds loopback only."""
