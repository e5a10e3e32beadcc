//go:build cgo

package confluent

import (
	"testing"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/driver/drivertest"
	"github.com/esm-go/esm/driver/franz"
	"github.com/esm-go/esm/internal/kafkatest"
)

func confluentDriver(drivertest.Environment) driver.Driver { return Driver() }

func franzDriver(drivertest.Environment) driver.Driver { return franz.Driver() }

func TestConformance(t *testing.T) {
	drivertest.Run(t, drivertest.Target{Driver: confluentDriver, Environment: drivertest.Fake})
}

// TestConformanceOfClientPoll is for where librdkafka's queue is not read.
func TestConformanceOfClientPoll(t *testing.T) {
	polling := func(drivertest.Environment) driver.Driver { return Driver(WithClientPoll()) }
	drivertest.Run(t, drivertest.Target{Driver: polling, Environment: drivertest.Fake})
}

// TestConformanceBesideFranz has members of both drivers in one group.
func TestConformanceBesideFranz(t *testing.T) {
	drivertest.Run(t, drivertest.Target{Driver: confluentDriver, Other: franzDriver, Environment: drivertest.Fake})
}

func TestConformanceKafka(t *testing.T) {
	cluster := kafkatest.Start(t, drivertest.KafkaOptions()...)
	drivertest.Run(t, drivertest.Target{
		Driver:      confluentDriver,
		Other:       franzDriver,
		Environment: func(t testing.TB) drivertest.Environment { return drivertest.Kafka(t, cluster) },
	})
}
