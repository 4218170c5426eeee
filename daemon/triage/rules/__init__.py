"""Rules as data: what they say, how their files are read, listed, tried and proposed."""
