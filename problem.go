package esm

import (
	"errors"

	"github.com/esm-go/esm/driver"
)

// problemOf gives the LastProcessingResult for what the client said.
func problemOf(err error) string {
	var e *driver.Error
	if !errors.As(err, &e) {
		return "PROBLEM: " + err.Error()
	}
	switch e.Kind {
	case driver.KindUnavailable, driver.KindUnknownTopic:
		return resultConnection
	case driver.KindAuthentication:
		return "PROBLEM: SASL authentication failed."
	case driver.KindAuthorization:
		return "PROBLEM: Cluster failed to authorize Lambda."
	}
	return "PROBLEM: " + e.Error()
}
