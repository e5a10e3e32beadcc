package esm

import (
	"errors"
	"fmt"
)

// ErrInvalidMapping is wrapped by every *FieldError.
var ErrInvalidMapping = errors.New("esm: invalid mapping")

// FieldError says what is wrong with one parameter of a mapping.
type FieldError struct {
	// Field is the parameter's path under AWS's names, such as "FilterCriteria.Filters[0].Pattern".
	Field string
	// Value is what was given, nil where it was missing. It is never a secret: a mapping holds none.
	Value any
	// Reason says what is allowed, in AWS's words where those are known.
	Reason string
	// Err is the error beneath, nil for none.
	Err error
}

// Error names the field, the value and what is allowed.
func (e *FieldError) Error() string {
	if e.Value == nil {
		return fmt.Sprintf("esm: %s: %s", e.Field, e.Reason)
	}
	if s, ok := e.Value.(string); ok {
		return fmt.Sprintf("esm: %s = %q: %s", e.Field, s, e.Reason)
	}
	return fmt.Sprintf("esm: %s = %v: %s", e.Field, e.Value, e.Reason)
}

// Unwrap returns the error beneath.
func (e *FieldError) Unwrap() error { return e.Err }

// Is reports that every FieldError is an ErrInvalidMapping.
func (e *FieldError) Is(target error) bool { return target == ErrInvalidMapping }
