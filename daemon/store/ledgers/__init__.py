"""The ledgers: what the store keeps of each kind of thing beyond runs and failures.

A kind of pipeline names its own; see `daemon.pipelines.kind.Kind`.
"""
