"""The channels: one file each. A channel never sees a template, a profile or Temporal."""
