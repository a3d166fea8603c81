"""The function for other tools than SAM: its zip, its contract, and checks of the modules that use them."""
