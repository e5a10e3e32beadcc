// Package console is the web console of a manager.Manager, an http.Handler that a service mounts where it likes:
//
//	pages, err := console.New(m, console.WithPrefix("/console"))
//	…
//	mux.Handle("/console/", requireLogin(pages))
//
// It lists the mappings, shows each with its state, its charts and its partitions, adds, edits, enables, disables and
// deletes them, resets the positions of a disabled one, tries filters, and tests connections. Everything it needs is in
// the program: it loads nothing from elsewhere, and its pages may not (Content-Security-Policy). Without scripts the
// pages show and change mappings all the same; they then stand still.
//
// # Who may use it
//
// The console has no login of its own: the service's middleware decides who gets to it. Who may use it may decide where
// mappings lead, with which secrets; manager.WithAllowed bounds that, and WithReadOnly refuses every change. Requests
// that a page of another site makes are refused, and so are those with a Host that is not on the list (WithHosts).
package console
