"""The commands of `salespro`, by what they are about."""
