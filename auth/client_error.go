package auth

import "strconv"

// ClientError is an error of librdkafka in a form that needs no cgo. A driver
// fills it from a kafka.Error: Code from Code(), Name from Code().String(),
// Text from Error().
type ClientError struct {
	// Code is librdkafka's error code: negative for its own, else the broker's.
	Code int
	// Name is the code's name or short text. May be "".
	Name string
	// Text is the whole message. librdkafka says the reason only here.
	Text string
}

// Error returns Text, or Name, or the code.
func (e *ClientError) Error() string {
	switch {
	case e.Text != "":
		return e.Text
	case e.Name != "":
		return e.Name
	}
	return "librdkafka error " + strconv.Itoa(e.Code)
}
