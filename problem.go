package esm

import (
	"errors"

	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/driver"
)

// problemOf gives the LastProcessingResult for what the client, the broker or a secret store said.
func problemOf(err error) string {
	if d := auth.Classify(err); d.Text != "" {
		return "PROBLEM: " + d.Text
	}
	var e *driver.Error
	if !errors.As(err, &e) {
		return "PROBLEM: " + err.Error()
	}
	switch e.Kind {
	case driver.KindUnavailable, driver.KindUnknownTopic:
		return resultConnection
	case driver.KindAuthentication:
		return "PROBLEM: " + auth.TextSASL
	case driver.KindAuthorization:
		return "PROBLEM: " + auth.TextClusterAuthorize
	}
	return "PROBLEM: " + e.Error()
}
