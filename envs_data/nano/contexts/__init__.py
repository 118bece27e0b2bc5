"""The six contexts of the nano pool, one generator module each."""
