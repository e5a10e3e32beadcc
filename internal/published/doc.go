// Package published holds a test alone: that the nested modules install as a user would install them, from a module
// proxy, with no go.work and no replace directive.
package published
