package franz

import (
	"testing"

	"github.com/esm-go/esm/driver/drivertest"
	"github.com/esm-go/esm/internal/kafkaenv"
	"github.com/esm-go/esm/internal/kafkatest"
)

func TestProducerContract(t *testing.T) { drivertest.RunProducer(t, contract(drivertest.Fake)) }

func TestKafkaProducerContract(t *testing.T) {
	drivertest.RunProducer(t, contractKafka(kafkatest.Start(t, kafkaenv.Options()...)))
}
