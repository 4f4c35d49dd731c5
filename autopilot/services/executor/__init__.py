"""The process that sends orders of live accounts. It alone decrypts keys and calls exchanges."""
