//! What happens in conversations and tickets, folded into KPIs.
