"""Addresses that others are asked to block.

blocklist  them, and every reason not to
settings   what may be blocked
"""
