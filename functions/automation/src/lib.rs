//! Automations made from templates, and the webhook that runs them.
