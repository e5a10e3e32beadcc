package franz

import (
	"testing"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/driver/drivertest"
	"github.com/esm-go/esm/internal/kafkatest"
)

func contract(environment func(testing.TB) drivertest.Environment) drivertest.Target {
	return drivertest.Target{
		Driver:      func(drivertest.Environment) driver.Driver { return Driver() },
		Environment: environment,
	}
}

func TestContract(t *testing.T) { drivertest.Run(t, contract(drivertest.Fake)) }

func TestKafkaContract(t *testing.T) {
	c := kafkatest.Start(t, drivertest.KafkaOptions()...)
	drivertest.Run(t, contract(func(t testing.TB) drivertest.Environment { return drivertest.Kafka(t, c) }))
}
