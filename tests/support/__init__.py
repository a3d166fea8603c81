"""What tests share: builders, servers, and the world around the function."""
