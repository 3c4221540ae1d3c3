"""Names for what the noisiest maps light up."""
