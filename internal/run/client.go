package run

import (
	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/observe"
)

// clientOf describes the Kafka client of a driver, for Status and the log.
func clientOf(d driver.Driver) observe.ClientStatus {
	by, ok := d.(driver.Describer)
	if !ok {
		return observe.ClientStatus{}
	}
	is := by.Describe()
	return observe.ClientStatus{Name: is.Client, Version: is.Version, Reading: is.Reading}
}
