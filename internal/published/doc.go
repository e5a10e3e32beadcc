// Package published holds only a test: that the nested modules install as they do for a user, from a module proxy,
// without go.work or a replace directive.
package published
