"""The tables, one module each: their columns are declared once, for what is inserted, read and exported."""
