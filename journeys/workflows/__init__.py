"""The durability: Temporal workflows as alarms, their activities, and what carries moved entries over to them."""
