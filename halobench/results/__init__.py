"""What was measured: records, the store, and the frame made of them."""
