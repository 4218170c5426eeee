"""Where runs are carried out: in threads of this process, or elsewhere. See `runner` and `sink`."""
