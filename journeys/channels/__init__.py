"""The ways out: one file a channel. A channel never sees a template, a profile or Temporal."""
