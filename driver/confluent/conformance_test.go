//go:build cgo

package confluent

import (
	"testing"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/driver/drivertest"
)

func TestConformance(t *testing.T) {
	drivertest.Run(t, drivertest.Target{
		Driver:      func(drivertest.Environment) driver.Driver { return Driver() },
		Environment: drivertest.Fake,
	})
}
