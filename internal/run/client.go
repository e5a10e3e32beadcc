package run

import (
	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/observe"
)

// clientOf says which Kafka client a driver drives, for Status and the log.
func clientOf(d driver.Driver) observe.ClientStatus {
	by, ok := d.(driver.Describer)
	if !ok {
		return observe.ClientStatus{}
	}
	is := by.Describe()
	return observe.ClientStatus{Name: is.Client, Version: is.Version, Reading: is.Reading}
}
