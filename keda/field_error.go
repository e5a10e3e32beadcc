package keda

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ErrInvalidMetadata is wrapped by every [*FieldError].
var ErrInvalidMetadata = errors.New("keda: invalid metadata")

// FieldError is one field of a trigger's metadata that cannot be used. Callers
// get it as gRPC's InvalidArgument, with a BadRequest detail for each field.
type FieldError struct {
	// Field is the field's name as it was given, such as "drainTime" or "topicsFromEnv".
	Field string
	// Value is what was given, "" where nothing was, and where it might be a
	// secret in the wrong place: a field that is not known, one that KEDA filled
	// from an environment, and all that leads to credentials.
	Value string
	// Problem says what is wrong.
	Problem string
	// Allowed says what would be right.
	Allowed string
}

// Error names the field, the value, the problem and what is allowed.
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

// Is tells that every FieldError is an ErrInvalidMetadata.
func (e *FieldError) Is(target error) bool { return target == ErrInvalidMetadata }

// InvalidMetadataError holds everything that is wrong with the metadata of one trigger.
type InvalidMetadataError struct {
	// Fields is not empty; it is in the order of [Fields], unknown fields last.
	Fields []*FieldError
}

// Error puts the fields' errors into one line.
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

// shorten quotes a value, without the end of a long one.
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
