package mapping

import (
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// ErrInvalid is wrapped by every *FieldError.
var ErrInvalid = errors.New("esm: invalid mapping")

// FieldError is one error in a Mapping.
type FieldError struct {
	// Field is the path to the parameter, in AWS's names, such as "Topics[1]" or
	// "SelfManagedKafkaEventSourceConfig.ConsumerGroupId".
	Field string
	// Value is the given value; nil if none was given, or if it might be a password in the wrong place.
	Value any
	// Reason says what is wrong, what is allowed and what to do, in AWS's words first where they are known.
	Reason string
	// Err is the cause, or nil.
	Err error
}

// Error names the field, the value and the reason.
func (e *FieldError) Error() string {
	text := "esm: " + e.Field
	switch v := e.Value.(type) {
	case nil:
	case string:
		text += " = " + shorten(v)
	default:
		text += " = " + fmt.Sprint(v)
	}
	return text + ": " + e.Reason
}

// shorten quotes a value and cuts off the end of a long one.
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

// Is reports that every FieldError is an ErrInvalid.
func (e *FieldError) Is(target error) bool { return target == ErrInvalid }

// Unwrap returns the cause, which may be nil.
func (e *FieldError) Unwrap() error { return e.Err }
