// Package events has what the server names of the gossip between hosts, which is left out.
package events

type (
	Event         any
	EventListener interface{ HandleEvent(Event) }
)
