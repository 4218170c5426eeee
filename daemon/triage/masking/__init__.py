"""Masking of everything personal or secret, one module for each way in which it is written."""
