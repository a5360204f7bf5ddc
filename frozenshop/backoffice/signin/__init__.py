"""How staff come in and stay in: password, second factor, proof of being there still, lock-out, sessions."""
