//go:build cgo

package confluent

import (
	"testing"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/driver/drivertest"
	"github.com/esm-go/esm/driver/franz"
	"github.com/esm-go/esm/internal/kafkaenv"
	"github.com/esm-go/esm/internal/kafkatest"
)

func confluentDriver(drivertest.Environment) driver.Driver { return Driver() }

func franzDriver(drivertest.Environment) driver.Driver { return franz.Driver() }

func TestConformance(t *testing.T) {
	drivertest.Run(t, drivertest.Target{Driver: confluentDriver, Environment: drivertest.Fake})
}

// TestConformanceOfClientPoll tests reading through confluent-kafka-go's Poll.
func TestConformanceOfClientPoll(t *testing.T) {
	polling := func(drivertest.Environment) driver.Driver { return Driver(WithClientPoll()) }
	drivertest.Run(t, drivertest.Target{Driver: polling, Environment: drivertest.Fake, Skip: map[string]string{
		"read/header names": "confluent-kafka-go takes a header's name as a C string, which ends at a NUL",
	}})
}

// TestConformanceBesideFranz puts members of both drivers into one group.
func TestConformanceBesideFranz(t *testing.T) {
	drivertest.Run(t, drivertest.Target{Driver: confluentDriver, Other: franzDriver, Environment: drivertest.Fake})
}

// onKafka returns the contract's target on an Apache Kafka, with members of both drivers in one group.
func onKafka(c *kafkatest.Cluster) drivertest.Target {
	return drivertest.Target{
		Driver:      confluentDriver,
		Other:       franzDriver,
		Environment: func(t testing.TB) drivertest.Environment { return kafkaenv.New(t, c) },
	}
}

func TestConformanceKafka(t *testing.T) {
	drivertest.Run(t, onKafka(kafkatest.Start(t, kafkaenv.Options()...)))
}

func TestConformanceKafkaMoves(t *testing.T) {
	drivertest.Moves(t, onKafka(kafkatest.Start(t, kafkaenv.Options(kafkatest.Nodes(3))...)))
}

// TestConformanceKafkaVersions runs the smoke subset on other versions; docs/brokers.md has the table.
func TestConformanceKafkaVersions(t *testing.T) {
	for _, version := range kafkatest.OtherVersions() {
		t.Run(version, func(t *testing.T) {
			c := kafkatest.Start(t, kafkaenv.Options(kafkatest.Version(version))...)
			drivertest.Smoke(t, onKafka(c))
		})
	}
}
