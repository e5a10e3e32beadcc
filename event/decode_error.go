package event

import (
	"fmt"
	"strconv"
)

// DecodeError says where and why the JSON of an event or record could not be read.
type DecodeError struct {
	// Offset is the position in the input, in bytes from 0.
	Offset int
	// Field is the path to the value, such as records["orders-0"][3].value; empty for the document itself.
	Field string
	// Reason says what is wrong.
	Reason string
}

// Error names the byte, the field and the reason.
func (e *DecodeError) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("event: byte %d: %s", e.Offset, e.Reason)
	}
	return fmt.Sprintf("event: byte %d: %s: %s", e.Offset, e.Field, e.Reason)
}

// The parser builds the path of an error as it returns, innermost part first. Each of these three functions puts its
// part in front.

func inField(name []byte, err *DecodeError) *DecodeError {
	if err != nil {
		err.under(string(name))
	}
	return err
}

func inKey(key []byte, err *DecodeError) *DecodeError {
	if err != nil {
		err.under("[" + strconv.Quote(string(key)) + "]")
	}
	return err
}

func inIndex(i int, err *DecodeError) *DecodeError {
	if err != nil {
		err.under("[" + strconv.Itoa(i) + "]")
	}
	return err
}

func (e *DecodeError) under(part string) {
	if e.Field != "" && e.Field[0] != '[' {
		part += "."
	}
	e.Field = part + e.Field
}
