package keda

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ErrInvalidMetadata is wrapped by every [*FieldError].
var ErrInvalidMetadata = errors.New("keda: invalid metadata")

// FieldError describes one invalid field of a trigger's metadata. Callers get it as gRPC's InvalidArgument,
// with a BadRequest detail for each field.
type FieldError struct {
	// Field is the field's name as given, such as "drainTime" or "topicsFromEnv".
	Field string
	// Value is what was given. It is "" if nothing was given, and where the value might be a misplaced
	// secret: in an unknown field, in a field that KEDA filled from an environment, and in the fields that
	// name credentials.
	Value string
	// Problem says what is wrong.
	Problem string
	// Allowed says what is allowed.
	Allowed string
}

// Error returns the field, the value, the problem and what is allowed, in one line.
func (e *FieldError) Error() string {
	text := e.Field
	if e.Value != "" {
		text += " = " + shorten(e.Value)
	}
	text += ": " + e.Problem
	if e.Allowed != "" {
		text += ": want " + e.Allowed
	}
	return text
}

// Is makes every FieldError match ErrInvalidMetadata.
func (e *FieldError) Is(target error) bool { return target == ErrInvalidMetadata }

// InvalidMetadataError holds everything that is wrong with the metadata of one trigger.
type InvalidMetadataError struct {
	// Fields is never empty. It is in the order of [Fields], with unknown fields last.
	Fields []*FieldError
}

// Error joins the fields' errors into one line.
func (e *InvalidMetadataError) Error() string {
	texts := make([]string, len(e.Fields))
	for i, f := range e.Fields {
		texts[i] = f.Error()
	}
	return "invalid metadata: " + strings.Join(texts, "; ")
}

// Unwrap returns the fields' errors.
func (e *InvalidMetadataError) Unwrap() []error {
	errs := make([]error, len(e.Fields))
	for i, f := range e.Fields {
		errs[i] = f
	}
	return errs
}

// shorten quotes a value, and cuts off the end of a long one.
func shorten(s string) string {
	const most = 80
	if len(s) <= most {
		return strconv.Quote(s)
	}
	cut := most
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return strconv.Quote(s[:cut]) + "… (" + strconv.Itoa(len(s)) + " bytes)"
}
