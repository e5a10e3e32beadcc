package esmotel

import (
	"slices"
	"strings"

	"github.com/esm-go/esm/event"
	"go.opentelemetry.io/otel/propagation"
)

// headers lets a propagator read the headers of a record. If a name occurs several times, it reads the last, as Kafka's
// clients do.
type headers []event.Header

var _ propagation.TextMapCarrier = headers(nil)

// Get returns the value of the last header with a name, ignoring case.
func (h headers) Get(name string) string {
	for _, x := range slices.Backward(h) {
		if strings.EqualFold(x.Key, name) {
			return string(x.Value)
		}
	}
	return ""
}

// Set does nothing: the records belong to the handler.
func (headers) Set(string, string) {}

// Keys returns the names of all headers.
func (h headers) Keys() []string {
	keys := make([]string, len(h))
	for i := range h {
		keys[i] = h[i].Key
	}
	return keys
}
