"""The built function in Lambda's emulator; `make runtime`."""
