package franz

import (
	"testing"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/driver/drivertest"
	"github.com/esm-go/esm/internal/kafkaenv"
	"github.com/esm-go/esm/internal/kafkatest"
)

// besides returns the driver of the groups' other members on Apache Kafka: driver/confluent if there is cgo.
var besides func(drivertest.Environment) driver.Driver

func contract(environment func(testing.TB) drivertest.Environment) drivertest.Target {
	return drivertest.Target{
		Driver:      func(drivertest.Environment) driver.Driver { return Driver() },
		Environment: environment,
	}
}

// contractKafka returns the contract's target on an Apache Kafka.
func contractKafka(c *kafkatest.Cluster) drivertest.Target {
	target := contract(func(t testing.TB) drivertest.Environment { return kafkaenv.New(t, c) })
	target.Other = besides
	return target
}

func TestContract(t *testing.T) { drivertest.Run(t, contract(drivertest.Fake)) }

func TestKafkaContract(t *testing.T) {
	drivertest.Run(t, contractKafka(kafkatest.Start(t, kafkaenv.Options()...)))
}

func TestKafkaContractMoves(t *testing.T) {
	drivertest.Moves(t, contractKafka(kafkatest.Start(t, kafkaenv.Options(kafkatest.Nodes(3))...)))
}

// TestKafkaContractVersions runs the smoke subset on other versions; docs/brokers.md has the table.
func TestKafkaContractVersions(t *testing.T) {
	for _, version := range kafkatest.OtherVersions() {
		t.Run(version, func(t *testing.T) {
			c := kafkatest.Start(t, kafkaenv.Options(kafkatest.Version(version))...)
			drivertest.Smoke(t, contractKafka(c))
		})
	}
}
