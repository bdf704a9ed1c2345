"""Looking for divergences: the fast seeded sweep, making a failing case smaller, and the campaign that joins them."""
