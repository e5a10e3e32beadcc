package auth

import (
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

// redacted is the printed form of every Secret.
const redacted = "REDACTED"

// Secret is a value that must not be printed: a password or a private key.
//
// Every way in which Go formats values (fmt with any verb, encoding/json, encoding/xml, slog) gives "REDACTED", or ""
// for the zero Secret if the form allows it. Only [Secret.Reveal] returns the value. A Secret is immutable and safe for
// concurrent use.
type Secret struct {
	// The value is hidden in a closure rather than a field: fmt calls no methods on unexported fields, so %+v would print
	// the bytes of a Secret inside another package's private struct, and reflecting printers follow pointers.
	value func() string
}

// NewSecret wraps value. NewSecret("") is the zero Secret.
func NewSecret(value string) Secret {
	if value == "" {
		return Secret{}
	}
	return Secret{value: func() string { return value }}
}

// Reveal returns the value itself. The caller is responsible for where it goes.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return s.value()
}

// IsZero reports whether s holds nothing.
func (s Secret) IsZero() bool { return s.value == nil }

// Equal reports whether both hold the same value, in constant time for values of equal length.
func (s Secret) Equal(other Secret) bool {
	return subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(other.Reveal())) == 1
}

// String implements [fmt.Stringer]: "REDACTED", or "" if there is no value.
func (s Secret) String() string {
	if s.IsZero() {
		return ""
	}
	return redacted
}

// GoString implements [fmt.GoStringer].
func (s Secret) GoString() string { return "auth.Secret(" + s.String() + ")" }

// Format implements [fmt.Formatter], so that no verb, including %x and %q, reaches the value.
func (s Secret) Format(f fmt.State, verb rune) {
	text := s.String()
	if verb == 'v' && f.Flag('#') {
		text = s.GoString()
	}
	_, _ = io.WriteString(f, text) // fmt.State has no way to report an error
}

// MarshalText implements [encoding.TextMarshaler].
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalJSON implements [encoding/json.Marshaler].
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + s.String() + `"`), nil }

// LogValue implements [slog.LogValuer].
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
