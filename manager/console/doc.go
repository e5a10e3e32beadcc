// Package console is the web console of a manager.Manager. It is an http.Handler that a service mounts at any path:
//
//	pages, err := console.New(m, console.WithPrefix("/console"))
//	…
//	mux.Handle("/console/", requireLogin(pages))
//
// The console lists the mappings. It shows each with its state, its charts and its partitions. It adds, edits, enables,
// disables and deletes them, resets the positions of a disabled one, tries filters, and tests connections. Everything
// it needs is compiled in: it loads nothing from elsewhere, and its pages cannot (Content-Security-Policy). Without
// scripts, the pages still show and change mappings, but do not update themselves.
//
// # Who may use it
//
// The console has no login: the service's middleware decides who gets access. A user of the console decides what
// mappings refer to, and with which secrets; manager.WithAllowed restricts that, and WithReadOnly rejects every change.
// The console rejects requests made by pages of other sites, and requests with a Host that is not on the list
// (WithHosts).
package console
